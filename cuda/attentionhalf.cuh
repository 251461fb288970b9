/*
 * What the kernels of attention on bf16 tensors share, forwards (attentionhalf.cu) and backwards (attentionhalfbackward.cu). head_dim is a
 * multiple of 16, all tensors start at multiples of 16 bytes, at most 64 heads share a key head.
 *
 * A block of four warps has a tile of 64 rows, a warp 16 of them, and goes over tiles of others, copied to shared memory while the one
 * before is worked on. With g = lane / 4 and t = lane % 4, a thread has rows g and g + 8 of its warp's 16, columns 2t, 2t + 1 of each 8:
 * what one product leaves there is what the next wants there. Rows in shared memory are padded by 16 bytes, so that eight of them lie
 * in different banks. Scores are exponents of 2.
 */
#pragma once

#include "attention.cuh"
#include "ptx.cuh"

enum { ROWS = 64, THREADS = 128 };

template <int D> struct tile {
    enum { PITCH = 2 * D + 16, STEPS = D / 16, BYTES = ROWS * PITCH };
};

/* The last parameter of every kernel; its fields are passed as so many 64-bit parameters. */
struct attention_half {
    const uint16_t *q, *k, *v;
    uint16_t *out;           /* of the forward */
    float *log_sums;         /* [n, heads]: base 2, of the forward */
    const uint16_t *dout;
    uint16_t *dq, *dk, *dv;
    float2 *sums;            /* [n, heads]: log_sums and the sum of dout * out, of the launch for dq */
    const int *ranges, *seen;
    int64_t n;
    int *fault;
};

/* Begins to copy COUNT rows of d elements; address(r) is row r, or null for zeros. */
template <int D, int COUNT, typename F> INLINE void fetch_rows(uint8_t *to, int d, const uint16_t *any, F address) {
#pragma unroll
    for (int i = 0; i < COUNT * (D / 8) / THREADS; i++) {
        const int r = (threadIdx.x + i * THREADS) / (D / 8), x = (threadIdx.x + i * THREADS) % (D / 8) * 8;
        const uint16_t *row = address(r);
        const bool there = row != nullptr && x < d;
        copy_async(to + r * tile<D>::PITCH + x * 2, there ? row + x : any, there ? 16 : 0);
    }
}

/* A warp's 16 rows of a tile as a product's first operand: the address of the thread's part of step 0, 32 bytes a step. */
template <int D> INLINE const uint8_t *own_rows(const uint8_t *rows) {
    const int lane = threadIdx.x % WARP;
    return rows + (threadIdx.x / WARP * 16 + lane % 16) * tile<D>::PITCH + lane / 16 * 16;
}

/* sums [16][N] = a warp's 16 rows, operand(step), times N rows of a tile */
template <int D, int N, typename A> INLINE void dots(float sums[N / 8][4], A operand, const uint8_t *columns) {
    const int lane = threadIdx.x % WARP;
    columns += (lane % 8 + lane / 16 * 8) * tile<D>::PITCH + lane / 8 % 2 * 16;
#pragma unroll
    for (int i = 0; i < N / 2; i++) {
        sums[i / 4][i % 4] = 0;
    }
#pragma unroll
    for (int step = 0; step < tile<D>::STEPS; step++) {
        const uint4 a = operand(step);
#pragma unroll
        for (int j = 0; j < N / 16; j++) {
            const uint4 b = load_matrices(columns + j * 16 * tile<D>::PITCH + step * 32);
            mma(sums[2 * j], a, b.x, b.y);
            mma(sums[2 * j + 1], a, b.z, b.w);
        }
    }
}

/* sums [16][D] += weights [16][N], rounded, times N rows of a tile */
template <int D, int N> INLINE void add_products(float sums[D / 8][4], const float weights[N / 8][4], const uint8_t *rows) {
    const int lane = threadIdx.x % WARP;
    rows += lane % 16 * tile<D>::PITCH + lane / 16 * 16;
#pragma unroll
    for (int s = 0; s < N / 16; s++) {
        const float(*w)[4] = weights + 2 * s;
        const uint4 a = make_uint4(pack_bf16(w[0][0], w[0][1]), pack_bf16(w[0][2], w[0][3]), pack_bf16(w[1][0], w[1][1]), pack_bf16(w[1][2], w[1][3]));
#pragma unroll
        for (int c = 0; c < D / 16; c++) {
            const uint4 b = load_matrices_transposed(rows + s * 16 * tile<D>::PITCH + c * 32);
            mma(sums[2 * c], a, b.x, b.y);
            mma(sums[2 * c + 1], a, b.z, b.w);
        }
    }
}

/* Columns below d of row h (of two) of a thread, times a factor. */
template <int D> INLINE void store_row(uint16_t *row, int d, const float sums[D / 8][4], int h, float factor) {
#pragma unroll
    for (int c = 0; c < D / 8; c++) {
        const int x = c * 8 + threadIdx.x % 4 * 2;
        if (x < d) {
            *(uint32_t *)(row + x) = pack_bf16(sums[c][2 * h] * factor, sums[c][2 * h + 1] * factor);
        }
    }
}

INLINE float quad_max(float v) {
    v = fmaxf(v, __shfl_xor_sync(~0u, v, 1));
    return fmaxf(v, __shfl_xor_sync(~0u, v, 2));
}

INLINE float quad_sum(float v) {
    v += __shfl_xor_sync(~0u, v, 1);
    return v + __shfl_xor_sync(~0u, v, 2);
}

/* Which row of a tile a thread's row h is, and which column its element e of 16 rows: sums[e / 4][e % 4]. */
INLINE int row_of(int h) {
    return threadIdx.x / WARP * 16 + threadIdx.x % WARP / 4 + 8 * h;
}

INLINE int column_of(int e) {
    return e / 4 * 8 + threadIdx.x % 4 * 2 + e % 2;
}

/* Where vector `item` of a tile of query vectors lies, which begins with row `first`: a row's heads that share the block's key head, then the next row's. */
INLINE int64_t vector_at(int64_t first, int item, const attention_shape &s) {
    const int group = s.heads / s.kv_heads;
    return ((first + item / group) * s.heads + blockIdx.y * group + item % group) * s.head_dim;
}

/* How dot products become exponents of 2. */
struct exponents {
    float factor, cap; /* cap: 0 = none */

    static __device__ __forceinline__ exponents of(const attention_shape &s) {
        const float log2_e = 1.44269504f;
        return s.softcap == 0 ? exponents{s.scale * log2_e, 0} : exponents{s.scale / s.softcap, s.softcap * log2_e};
    }
};

/* Keys [lowest, highest) that any of a warp's vectors sees, [low, high) that all of them see of those that see any; mine: what a thread's two see. */
struct warp_range {
    int lowest, low, high, highest;

    static __device__ __forceinline__ warp_range of(const key_range mine[2]) {
        warp_range w = {INT32_MAX, 0, INT32_MAX, 0};
#pragma unroll
        for (int h = 0; h < 2; h++) {
            if (mine[h].to > 0) {
                w.lowest = min(w.lowest, mine[h].from);
                w.low = max(w.low, mine[h].from);
                w.high = min(w.high, mine[h].to);
                w.highest = max(w.highest, mine[h].to);
            }
        }
        return {__reduce_min_sync(~0u, w.lowest), __reduce_max_sync(~0u, w.low), __reduce_min_sync(~0u, w.high), __reduce_max_sync(~0u, w.highest)};
    }
};

/* Where the run of rows of one sequence ends that begins with row `from` of `rows`; base(r) is where row r's begins. */
template <typename F> INLINE int run_end(int from, int rows, F base) {
    const int lane = threadIdx.x % WARP, first = base(from);
    for (int r = from; r < rows; r += WARP) {
        const unsigned others = __ballot_sync(~0u, r + lane < rows && base(min(r + lane, rows - 1)) != first);
        if (others != 0) {
            return r + __ffs((int)others) - 1;
        }
    }
    return rows;
}

/* What rows [from, to) of a tile see together; limits(r) is what row r sees. */
template <typename F> INLINE int2 limits_of(int from, int to, F limits) {
    int2 all = make_int2(INT32_MAX, 0);
    for (int r = from + threadIdx.x % WARP; r < to; r += WARP) {
        const int2 one = limits(r);
        all.x = one.x < one.y ? min(all.x, one.x) : all.x;
        all.y = max(all.y, one.y);
    }
    return make_int2(__reduce_min_sync(~0u, all.x), __reduce_max_sync(~0u, all.y));
}

/* What row h of a thread sees in a run of rows. */
INLINE key_range own_range(const key_range *ranges, int h, int from, int to, int group) {
    const int row = row_of(h) / group;
    return row >= from && row < to ? ranges[row] : key_range{0, 0, 0};
}
