/*
 * Products of bf16 weights and f32 rows on Hopper's tensor cores: a block takes panels of 64 outputs, UNITS at a time, to N rows of x.
 *
 * The weights are wgmma's first operand, x its second: its bf16 value and what that leaves over, 16 bits or more, added to the same f32
 * sums one after the other. Weights and x go through a ring of stages in shared memory, 64 elements of k each. A warp for each unit
 * fetches weights by asynchronous copies; LOADERS warpgroups take turns to read x, split it and store it; a warpgroup for each unit
 * multiplies. They meet at two barriers a stage, `full` and `empty`, so weights stream on while sums are finished and stored.
 *
 * Bits: every sum goes over its k in order, 16 at a time, high parts before low ones, whatever N, UNITS and the number of stages.
 */
#pragma once

#include "hopper.cuh"

#ifdef T2L_HOPPER

enum { UNIT = 64, DEPTH = 64, BARRIERS = 1024, MOST_STAGES = 16 };

template <int N, int UNITS, int LOADERS> struct panel {
    enum {
        LOADER = UNITS * WARPGROUP, /* first thread of each kind; the multipliers' is 0 */
        FETCHER = LOADER + LOADERS * WARPGROUP,
        THREADS = FETCHER + UNITS * WARP,
        W = UNITS * UNIT * DEPTH * 2,
        X = N * DEPTH * 2,
        STAGE = W + 2 * X
    };
};

/* Shared memory: barriers, then two stages or more of [units][64][64] weights and of high and low parts of x, [N][64]. */
template <typename P> struct ring {
    uint64_t *full, *empty;
    uint8_t *stages;
    int count;
    int slot = 0;
    uint32_t phase = 0;

    __device__ __forceinline__ ring(uint8_t *shared, int count) : full((uint64_t *)shared), empty(full + MOST_STAGES), stages(shared + BARRIERS), count(count) {
    }
    /* By all threads of the block, once. */
    __device__ __forceinline__ void prepare() {
        if (threadIdx.x == 0) {
            for (int i = 0; i < count; i++) {
                barrier_init(full + i, P::THREADS - P::FETCHER + WARPGROUP / WARP);
                barrier_init(empty + i, P::LOADER / WARP);
            }
            barriers_ready();
        }
        __syncthreads();
    }
    __device__ __forceinline__ uint8_t *stage() const {
        return stages + slot * P::STAGE;
    }
    __device__ __forceinline__ void next() {
        slot++;
        if (slot == count) {
            slot = 0;
            phase ^= 1;
        }
    }
};

/* By a fetcher's warp: its unit's weights for blocks [from, to) of k. Lane l knows the rows of w for outputs l and 32 + l; negative: none. */
template <typename P>
INLINE void fetch_weights(ring<P> &r, int unit, const uint8_t *w, int64_t row_bytes, const int64_t rows[2], int from, int to) {
    const int lane = threadIdx.x % WARP;
    for (int block = from; block < to; block++) {
        barrier_wait(r.empty + r.slot, r.phase ^ 1);
        uint8_t *at = r.stage() + unit * (UNIT * DEPTH * 2);
        const uint8_t *column = w + block * (DEPTH * 2) + lane % 8 * 16;
#pragma unroll
        for (int i = 0; i < UNIT / 4; i++) {
            int output = i * 4 + lane / 8;
            int64_t row = __shfl_sync(~0u, rows[i / 8], output % WARP);
            if (row >= 0) {
                copy_async(at + operand_at(output, lane % 8), column + row * row_bytes, 16);
            }
        }
        barrier_arrive_copied(r.full + r.slot);
        r.next();
    }
}

/* What becomes of x before it is split: nothing. `row` counts from the first of N. */
struct unchanged {
    __device__ __forceinline__ void columns(int64_t) {
    }
    __device__ __forceinline__ void ready() const {
    }
    __device__ __forceinline__ float4 operator()(float4 v, int) const {
        return v;
    }
};

/* By loader `group`: x [n, in] from first_row on, for every LOADERS-th of blocks [from, to); `turn` counts all blocks so far. */
template <typename P, int N, int LOADERS, typename C = unchanged>
INLINE void load_rows(ring<P> &r, int group, int &turn, const float *x, int64_t first_row, int64_t n, int64_t in, int from, int to, C change = C()) {
    enum { LOADS = N * DEPTH / 4 / WARPGROUP, TOGETHER = LOADS < 8 ? LOADS : LOADS % 8 == 0 ? 8 : 6 };
    static_assert(LOADS % TOGETHER == 0, "loads of so many at a time");
    const int thread = threadIdx.x % WARPGROUP;
    const int row = thread / 16;
    const int four = thread % 16;
    const bool vector = vectors(x, in);
    for (int block = from; block < to; block++) {
        if (turn == group) {
            uint8_t *at = r.stage() + P::W + operand_at(row, four / 2) + four % 2 * 8;
            const int64_t k = block * (int64_t)DEPTH + four * 4;
            change.columns(k);
#pragma unroll
            for (int some = 0; some < LOADS; some += TOGETHER) {
                float4 v[TOGETHER];
#pragma unroll
                for (int i = 0; i < TOGETHER; i++) {
                    v[i] = fresh4(x + min(first_row + row + (some + i) * 8, n - 1) * in + k, vector);
                }
                if (some == 0) {
                    change.ready();
                    barrier_wait(r.empty + r.slot, r.phase ^ 1);
                }
#pragma unroll
                for (int i = 0; i < TOGETHER; i++) {
                    v[i] = change(v[i], row + (some + i) * 8);
                    uint4 parts = split4(v[i].x, v[i].y, v[i].z, v[i].w);
                    *(uint2 *)(at + (some + i) * 1024) = make_uint2(parts.x, parts.z);
                    *(uint2 *)(at + (some + i) * 1024 + P::X) = make_uint2(parts.y, parts.w);
                }
            }
            fence_operands();
            __syncwarp();
            if (threadIdx.x % WARP == 0) {
                barrier_arrive(r.full + r.slot);
            }
        }
        turn = turn + 1 == LOADERS ? 0 : turn + 1;
        r.next();
    }
}

/* By a unit's multipliers: their sums over `blocks` blocks of k. A unit that is not `wanted` only lets them pass. */
template <typename P, int N> INLINE void multiply(ring<P> &r, int unit, bool wanted, int blocks, float (&sums)[N / 2]) {
    const bool first_lane = threadIdx.x % WARP == 0;
    int last = -1;
    for (int block = 0; block < blocks; block++) {
        barrier_wait(r.full + r.slot, r.phase);
        if (wanted) {
            fence_operands();
            wgmma_fence();
            uint64_t a = operand(r.stage() + unit * (UNIT * DEPTH * 2));
            uint64_t high = operand(r.stage() + P::W);
            uint64_t low = operand(r.stage() + P::W + P::X);
#pragma unroll
            for (int k = 0; k < DEPTH / 16; k++) {
                wgmma<N>(sums, a + 2 * k, high + 2 * k);
                wgmma<N>(sums, a + 2 * k, low + 2 * k);
            }
            wgmma_commit();
            wgmma_wait<1>();
        }
        if (last >= 0 && first_lane) {
            barrier_arrive(r.empty + last);
        }
        last = r.slot;
        r.next();
    }
    wgmma_wait<0>();
    if (last >= 0 && first_lane) {
        barrier_arrive(r.empty + last);
    }
}

/* Four sums at `at` of a tile of partial sums, over all slices in their order. */
template <int SLICES> INLINE float4 sum_slices(const float *at) {
    float4 v[SLICES];
#pragma unroll
    for (int s = 0; s < SLICES; s++) {
        v[s] = load_cluster(at, s);
    }
#pragma unroll
    for (int s = 1; s < SLICES; s++) {
        v[0] = make_float4(v[0].x + v[s].x, v[0].y + v[s].y, v[0].z + v[s].z, v[0].w + v[s].w);
    }
    return v[0];
}

INLINE float4 all_slices(const float *at, int slices) {
    switch (slices) {
    case 1:
        return *(const float4 *)at;
    case 2:
        return sum_slices<2>(at);
    case 4:
        return sum_slices<4>(at);
    default:
        return sum_slices<8>(at);
    }
}

/* Sums of columns 8j.. of eight rows of x each, to floats [row of x][PITCH] of their unit; a warp's stores go to different banks if PITCH % 32 = 4. */
template <int PITCH> INLINE void spread_sums(float *to, const float *sums, int eights) {
    const int thread = threadIdx.x % WARPGROUP;
    to += thread % 4 * 2 * PITCH + thread / WARP * 16 + thread % WARP / 4;
#pragma unroll
    for (int j = 0; j < eights; j++) {
        to[j * 8 * PITCH] = sums[j * 4];
        to[(j * 8 + 1) * PITCH] = sums[j * 4 + 1];
        to[j * 8 * PITCH + 8] = sums[j * 4 + 2];
        to[(j * 8 + 1) * PITCH + 8] = sums[j * 4 + 3];
    }
}
#endif
