/*
 * Products of few rows, as decoding has them, with what surrounds them, in one launch: y = f(norm(x) w^T + bias) with the rows' adapters
 * added, of several weights of one input, of a gate and what it gates, plus a residual. 16-bit and quantised weights; f32 ones: linear.cu.
 *
 * Bytes: each weight once, as stored. So all that matters is to keep enough bytes under way, and few instructions a weight: at 3 TB/s the
 * device has some six a weight of four bits, and these products need about two.
 *
 * A block stays for many tiles of 16 (or 32) outputs, and lays out x once, where it fits. Its warps cut K: each takes every eighth chunk
 * of each tile through its own ring of stages, 16-byte asynchronous copies filling some while another is unpacked, on through all of the
 * block's tiles without a pause. Products are m16n8k16: a tile of weights is the operand of sixteen rows (blocks.cuh), x that of eight columns:
 * four of its rows, each as a 16-bit value and what that leaves over, so x counts with 16 bits (bf16 weights) or 22. Scales of blocks multiply
 * the f32 sums. One more warp adds the others' sums in their order, and does all that comes after: it reads biases, adapters and residuals
 * while the others are still at the tile.
 *
 * The ring fills before the kernel ahead has ended (overlap.cuh): blocks take at most half of a multiprocessor where x is small, so
 * the next launch's blocks find room beside them.
 *
 * Bits: an output is a sum over K cut by K alone: neither the number of rows, nor a block's tiles, nor the panel or the ring show in it.
 */
#include "activation.cuh"
#include "thin.cuh"

/* One warp's part of a tile: sums over its chunks. Lane (g, t) has outputs g and g + 8 of each 16, for x's rows t of each four. */
template <int TYPE, int TILES, int NT> struct thin_sums {
    typedef format<TYPE> F;
    float acc[TILES][NT][4];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < TILES * NT * 4; i++) {
            acc[i / 4 / NT][i / 4 % NT][i % 4] = 0;
        }
    }

    /* Adds a chunk; `parts` and `sums` are this lane's place for the chunk's first 32, `by` the powers of two of its rows of x. */
    __device__ __forceinline__ void add(const uint8_t *staged, const uint8_t *prepared, const uint8_t *const parts[NT], const float *const sums[NT],
                                        const float by[NT], int n, int g, int t) {
        float part[TILES][NT][4] = {};
#pragma unroll(F::UNROLL)
        for (int group = 0; group < F::CHUNK / 32 / F::GROUP; group++) {
            uint32_t q[TILES][2][F::WORDS];
#pragma unroll
            for (int i = 0; i < 2 * TILES; i++) {
                F::load(q[i / 2][i % 2], staged + i * (8 * F::PITCH * 16), g, group, t);
            }
#pragma unroll
            for (int i = 0; i < F::GROUP; i++) {
                const int j = group * F::GROUP + i;
                uint4 b[NT];
                float sum[NT][2];
#pragma unroll
                for (int m = 0; m < NT; m++) {
                    b[m] = *(const uint4 *)(parts[m] + j * n * 128);
                    sum[m][0] = F::SUMS > 0 ? sums[m][j * n * F::SUMS] : 0;
                    sum[m][1] = F::SUMS > 1 ? sums[m][j * n * F::SUMS + 1] : 0;
                }
#pragma unroll
                for (int k = 0; k < TILES; k++) {
                    uint32_t r[2][4];
                    F::unpack(q[k][0], i, r[0]);
                    F::unpack(q[k][1], i, r[1]);
                    const uint32_t a0[4] = {r[0][0], r[1][0], r[0][1], r[1][1]};
                    const uint32_t a1[4] = {r[0][2], r[1][2], r[0][3], r[1][3]};
                    if (TYPE == T2L_BF16) {
#pragma unroll
                        for (int m = 0; m < NT; m++) {
                            mma_bf16(acc[k][m], a0, b[m].x, b[m].y, acc[k][m]);
                            mma_bf16(acc[k][m], a1, b[m].z, b[m].w, acc[k][m]);
                        }
                        continue;
                    }
                    if (TYPE == T2L_F16) {
#pragma unroll
                        for (int m = 0; m < NT; m++) {
                            mma_f16(part[k][m], a0, b[m].x, b[m].y, part[k][m]);
                            mma_f16(part[k][m], a1, b[m].z, b[m].w, part[k][m]);
                        }
                        continue;
                    }
                    float4 s; /* row g: scale and minimum, or two scales; row g + 8 */
                    if (F::PREPARED) {
                        s = *(const float4 *)(prepared + (k * (F::CHUNK / 32) + j) * 128);
                    } else {
                        const float2 one = F::scale(staged + k * (16 * F::PITCH * 16), j);
                        const float2 two = F::scale(staged + (2 * k + 1) * (8 * F::PITCH * 16), j);
                        s = make_float4(one.x, one.y, two.x, two.y);
                    }
#pragma unroll
                    for (int m = 0; m < NT; m++) {
                        const float from = F::ZERO == 0 ? 0 : sum[m][0];
                        const float start[4] = {from, 0, from, 0};
                        float c[4];
                        mma_f16(c, a0, b[m].x, b[m].y, start);
                        if (F::SUMS == 2) {
                            part[k][m][0] = fmaf(s.x, c[0] + c[1], part[k][m][0]);
                            part[k][m][1] = fmaf(s.z, c[2] + c[3], part[k][m][1]);
                            const float second[4] = {sum[m][1], 0, sum[m][1], 0};
                            mma_f16(c, a1, b[m].z, b[m].w, second);
                            part[k][m][0] = fmaf(s.y, c[0] + c[1], part[k][m][0]);
                            part[k][m][1] = fmaf(s.w, c[2] + c[3], part[k][m][1]);
                            continue;
                        }
                        mma_f16(c, a1, b[m].z, b[m].w, c);
                        part[k][m][0] = fmaf(s.x, c[0] + c[1], part[k][m][0]);
                        part[k][m][1] = fmaf(s.z, c[2] + c[3], part[k][m][1]);
                        if (F::MINS) {
                            part[k][m][0] = fmaf(s.y, sum[m][0], part[k][m][0]);
                            part[k][m][1] = fmaf(s.w, sum[m][0], part[k][m][1]);
                        }
                    }
                }
            }
        }
        if (F::HALF) {
#pragma unroll
            for (int i = 0; i < TILES * NT; i++) {
                const float *p = part[i / NT][i % NT];
                float *to = acc[i / NT][i % NT];
                to[0] = fmaf(by[i % NT], TYPE == T2L_F16 ? p[0] + p[1] : p[0], to[0]);
                to[1] = fmaf(by[i % NT], TYPE == T2L_F16 ? p[2] + p[3] : p[1], to[1]);
            }
        }
    }

    /* [rows of x][outputs] */
    __device__ __forceinline__ void store(float *partial, int n, int g, int t) const {
#pragma unroll
        for (int i = 0; i < TILES * NT; i++) {
            const int row = i % NT * 4 + t;
            const float *v = acc[i / NT][i % NT];
            float *to = partial + row * (16 * TILES) + i / NT * 16 + g;
            if (row < n) {
                to[0] = TYPE == T2L_BF16 ? v[0] + v[1] : v[0];
                to[8] = TYPE == T2L_BF16 ? v[2] + v[3] : v[1];
            }
        }
    }
};

/* One of the warps that multiply. */
template <int TYPE, int TILES, int NT, int WARPS>
INLINE void thin_multiply(const thin_launch &a, uint8_t *shared, const thin_room<TYPE, TILES, NT, WARPS> &room, thin_source<TYPE, TILES, WARPS> &source,
                          const float *x, int n, int first_tile, int tile_step, int warp, int lane) {
    typedef format<TYPE> F;
    typedef thin_room<TYPE, TILES, NT, WARPS> S;
    const int g = lane / 4;
    const int t = lane % 4;
    const int stages = (int)a.stages;
    const int panel = (int)a.panel;
    const int in = (int)a.in;
    uint8_t *ring = shared + room.rings + warp * room.ring;
    uint8_t *scales = ring + stages * S::STAGE;
    uint64_t *barriers = (uint64_t *)shared;
    const uint8_t *parts[NT];
    const float *sums[NT];
    const float *exponents[NT];
#pragma unroll
    for (int m = 0; m < NT; m++) {
        const int column = min(m * 8 + g, 2 * n - 1); /* columns and rows that are not there: others, whose sums nobody takes */
        const int row = min(m * 4 + t, n - 1);
        parts[m] = shared + room.parts + column * 64 + t * 16;
        sums[m] = (const float *)(shared + room.sums) + row * F::SUMS;
        exponents[m] = (const float *)(shared + room.exponents) + row;
    }
    const uint8_t *prepared = scales + g * 16;
    const int row_of_scales = lane / 2;
    const int at_scales = row_of_scales * (F::PITCH * 16) + (int)((uintptr_t)(a.products[0].w + row_of_scales * a.row_bytes + warp * F::BYTES) & 15);
    const int at_row = g * (F::PITCH * 16) + source.skew;
    const int rounds_of_panel = panel / (WARPS * F::CHUNK);

    int stage = 0;
    int use = 0;
    thin_sums<TYPE, TILES, NT> total;
    for (int tile = first_tile; tile < (int)a.tiles; tile += tile_step, use++) {
        total.clear();
        for (int from = 0; from < in; from += panel) {
            if (panel < in || use == 0) {
                if (use > 0 || from > 0) {
                    sync_threads<WARPS * WARP>();
                }
                stage_x<TYPE, TILES, NT, WARPS>(shared, room, a, x, n, from, panel, use == 0, warp, lane);
                sync_threads<WARPS * WARP>();
            }
            const int first_round = from / (WARPS * F::CHUNK);
            const int rounds = min(source.rounds - first_round, rounds_of_panel);
            for (int round = 0; round < rounds; round++) {
                wait_for_stage(stages - 2);
                __syncwarp(); /* the stage is full; the one before, and the scales, are no longer read */
                source.issue(ring + (stage == 0 ? stages - 1 : stage - 1) * S::STAGE, tile_step);
                const uint8_t *full = ring + stage * S::STAGE;
                if (F::PREPARED) {
#pragma unroll
                    for (int k = 0; k < TILES; k++) {
                        float2 v[4];
                        F::prepare(full + k * (16 * F::PITCH * 16) + at_scales, lane % 2, v);
#pragma unroll
                        for (int i = 0; i < 4; i++) {
                            *(float2 *)(scales + ((k * (F::CHUNK / 32) + lane % 2 * 4 + i) * 8 + row_of_scales % 8) * 16 + row_of_scales / 8 * 8) = v[i];
                        }
                    }
                    __syncwarp();
                }
                const int chunk = round * WARPS + warp;
                const uint8_t *chunk_parts[NT];
                const float *chunk_sums[NT];
                float by[NT];
#pragma unroll
                for (int m = 0; m < NT; m++) {
                    chunk_parts[m] = parts[m] + chunk * (F::CHUNK / 32 * 128) * n;
                    chunk_sums[m] = sums[m] + chunk * (F::CHUNK / 32 * F::SUMS) * n;
                    by[m] = F::HALF ? exponents[m][chunk * F::CHUNK / XBLOCK * n] : 1;
                }
                total.add(full + at_row, prepared, chunk_parts, chunk_sums, by, n, g, t);
                stage = stage + 1 == stages ? 0 : stage + 1;
            }
        }
        if (use >= 2) {
            barrier_wait(barriers + 2 + use % 2, (use / 2 - 1) % 2);
        }
        total.store((float *)(shared + room.partial) + (use % 2 * WARPS + warp) * (S::ROWS * S::OUTPUTS), n, g, t);
        __syncwarp();
        if (lane == 0) {
            barrier_arrive(barriers + use % 2);
        }
    }
}

/* The warp that adds the others' sums and does the rest. */
template <int TYPE, int TILES, int NT, int WARPS>
INLINE void thin_finish(const thin_launch &a, uint8_t *shared, const thin_room<TYPE, TILES, NT, WARPS> &room, int64_t first_row, int n, int first_tile,
                        int tile_step, int lane) {
    typedef thin_room<TYPE, TILES, NT, WARPS> S;
    const bool paired = a.paired != 0;
    const int f = (int)a.activation;
    const int items = (n * S::OUTPUTS + WARP - 1) / WARP;
    const int r = lane % S::OUTPUTS; /* this lane's output of a tile, for rows of x `lane / OUTPUTS` and on */
    const float *other = a.gate != nullptr ? a.gate : a.residual;
    float *factors = (float *)(shared + 32);
    float *extra = (float *)(shared + room.beside) + lane;
    float *others = extra + S::ITEMS * WARP;
    uint64_t *barriers = (uint64_t *)shared;
    int use = 0;
    for (int tile = first_tile; tile < (int)a.tiles; tile += tile_step, use++) {
        const thin_place place = thin_locate<TILES>(a, tile);
        const thin_product &p = a.products[paired ? r / 8 % 2 : place.product];
        const int o = place.first + (paired ? r / 16 * 8 + r % 8 : r);
        const bool there = o < (int)p.out;
        const float bias = there && p.bias != nullptr ? element(p.bias, (int)p.bias_type, o) : 0;
#pragma unroll 1
        for (int k = 0; k < items; k++) {
            const int row = (lane + k * WARP) / S::OUTPUTS;
            const bool wanted = there && row < n;
            extra[k * WARP] = wanted && p.lora.table != nullptr ? lora_add(bias, p.lora, first_row + row, o) : bias;
            if (other != nullptr) {
                others[k * WARP] = wanted ? load_fresh(other + (first_row + row) * p.out + o) : 0;
            }
        }
        barrier_wait(barriers + use % 2, use / 2 % 2);
        if (use == 0 && a.norm != nullptr) {
            const int blocks = ((int)a.in + XBLOCK - 1) / XBLOCK;
#pragma unroll 1
            for (int row = 0; row < n; row++) {
                float sum = 0;
                for (int b = lane; b < blocks; b += WARP) {
                    sum += ((const float *)(shared + room.squares))[b * n + row];
                }
                sum = warp_sum(sum);
                if (lane == 0) {
                    factors[row] = 1 / sqrtf(sum / (float)a.in + __uint_as_float((uint32_t)a.norm_numbers));
                }
            }
            __syncwarp();
        }
        const float *partial = (const float *)(shared + room.partial) + use % 2 * (WARPS * S::ROWS * S::OUTPUTS) + lane;
#pragma unroll 1
        for (int k = 0; k < items; k++) {
            const int row = (lane + k * WARP) / S::OUTPUTS;
            float v = 0;
#pragma unroll
            for (int w = 0; w < WARPS; w++) {
                v += partial[w * (S::ROWS * S::OUTPUTS) + k * WARP];
            }
            v = (a.norm != nullptr ? v * factors[min(row, n - 1)] : v) + extra[k * WARP];
            if (f >= 0) {
                const float active = activate(f, a.gate != nullptr ? others[k * WARP] : v);
                const float by = paired ? __shfl_sync(~0u, v, lane + 8) : a.gate != nullptr ? v : 1;
                v = active * by;
            }
            if (a.residual != nullptr) {
                v += others[k * WARP];
            }
            if (there && row < n && (!paired || r % 16 < 8)) {
                p.y[(first_row + row) * p.out + o] = v;
            }
        }
        __syncwarp();
        if (lane == 0) {
            barrier_arrive(barriers + 2 + use % 2);
        }
    }
}

/* Grid: groups of rows of x, times as many blocks as share the tiles. */
template <int TYPE, int TILES, int NT, int WARPS> INLINE void thin_body(const thin_launch &a) {
    DYNAMIC_SHARED(shared);
    const int64_t first_row = blockIdx.x * a.group;
    const int n = (int)min(a.group, a.rows - first_row);
    const int first_tile = blockIdx.y;
    const int tile_step = gridDim.y;
    const int warp = __shfl_sync(~0u, threadIdx.x / WARP, 0);
    const int lane = threadIdx.x % WARP;
    const thin_room<TYPE, TILES, NT, WARPS> room(n, (int)a.in, (int)a.panel, (int)a.stages);
    if (room.all > dynamic_shared_size() || n > 4 * NT || (int)a.panel % (WARPS * format<TYPE>::CHUNK) != 0) {
        __trap(); /* launched with a wrong shape */
    }
    grid_trigger();
    uint64_t *barriers = (uint64_t *)shared;
    if (threadIdx.x == 0) {
        barrier_init(barriers, WARPS);
        barrier_init(barriers + 1, WARPS);
        barrier_init(barriers + 2, 1);
        barrier_init(barriers + 3, 1);
    }
    if (warp < WARPS) {
        thin_source<TYPE, TILES, WARPS> source(a, first_tile, warp, lane);
        uint8_t *ring = shared + room.rings + warp * room.ring;
#pragma unroll 1
        for (int s = 0; s < (int)a.stages - 1; s++) {
            source.issue(ring + s * thin_room<TYPE, TILES, NT, WARPS>::STAGE, tile_step);
        }
        __syncthreads();
        if (!a.behind_low) {
            grid_wait();
        }
        thin_multiply<TYPE, TILES, NT, WARPS>(a, shared, room, source, a.x + first_row * a.in, n, first_tile, tile_step, warp, lane);
    } else {
        __syncthreads();
        grid_wait();
        thin_finish<TYPE, TILES, NT, WARPS>(a, shared, room, first_row, n, first_tile, tile_step, lane);
    }
}

#define THIN(name, TYPE, TILES, NT, BLOCKS)                                                                                                 \
    extern "C" __global__ void __launch_bounds__((THIN_WARPS + 1) * WARP, BLOCKS) name(const __grid_constant__ thin_launch a) {              \
        thin_body<TYPE, TILES, NT, THIN_WARPS>(a);                                                                                           \
    }

/* 16 outputs and four rows of x, two blocks a multiprocessor, so that one of the next launch has room; 16 and eight; 32 and eight. */
#define THINS(name, TYPE)                \
    THIN(thin_##name##_4, TYPE, 1, 1, 2) \
    THIN(thin_##name##_8, TYPE, 1, 2, 1) \
    THIN(thin_##name##_wide, TYPE, 2, 2, 1)

THINS(f16, T2L_F16)
THINS(bf16, T2L_BF16)
THINS(q4_0, T2L_Q4_0)
THINS(q4_1, T2L_Q4_1)
THINS(q8_0, T2L_Q8_0)
THINS(q4_k, T2L_Q4_K)
THINS(q6_k, T2L_Q6_K)
