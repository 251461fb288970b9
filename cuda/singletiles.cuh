/*
 * Products by tiles in f32 throughout: sums[m, c] = sum over k of a[m, k] b[k, c], either operand in either order.
 *
 * A thread has TM x TN sums; tiles of a and b, BK deep, lie in shared memory k by k, two of each: one is filled while the other is
 * multiplied. 2 flops an element, BM * BN / (BM + BN) / 2 of them for each byte read.
 *
 * Bits: every sum goes over k in its order, whatever the tile.
 */
#pragma once

#include "ptx.cuh"

/* a is [rows, depth], or [depth, rows] by depth; b is [columns, depth], or [depth, columns] by depth */
struct single_operands {
    const float *__restrict__ a;
    const float *__restrict__ b;
    int64_t rows, depth, columns;
};

/* An operand's SIZE rows or columns from first on, BK of the depth at a time: into registers, then into shared memory k by k. */
template <bool BY_DEPTH, int SIZE, int BK, int THREADS> struct single_side {
    enum { LOADS = SIZE * BK / 4 / THREADS, ACROSS = (BY_DEPTH ? SIZE : BK) / 4 };
    static_assert(LOADS * THREADS * 4 == SIZE * BK, "a whole number of loads a thread");
    const float *p;
    int64_t size, depth, first, to;
    bool vector;
    float4 next[LOADS];

    __device__ __forceinline__ single_side(const float *p, int64_t size, int64_t depth, int64_t first, int64_t to)
        : p(p), size(size), depth(depth), first(first), to(to), vector(vectors(p, BY_DEPTH ? size : depth)) {}

    __device__ __forceinline__ void fetch(int64_t k) {
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            int item = threadIdx.x + i * THREADS;
            int64_t down = item / ACROSS, across = item % ACROSS * 4;
            if (BY_DEPTH) {
                next[i] = k + down < to ? load4(p + (k + down) * size, first + across, size, vector) : make_float4(0, 0, 0, 0);
            } else {
                next[i] = load4(p + min(first + down, size - 1) * depth, k + across, depth, vector);
            }
        }
    }

    template <int STRIDE> __device__ __forceinline__ void put(float (&tile)[BK][STRIDE]) const {
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            int item = threadIdx.x + i * THREADS;
            if (BY_DEPTH) {
                *(float4 *)&tile[item / ACROSS][item % ACROSS * 4] = next[i];
            } else {
                const float v[4] = {next[i].x, next[i].y, next[i].z, next[i].w};
#pragma unroll
                for (int c = 0; c < 4; c++) {
                    tile[item % ACROSS * 4 + c][item / ACROSS] = v[c];
                }
            }
        }
    }
};

/* The tile of sums from (first_row, first) on, over k of [from, to), to a multiple of BK or the depth; store(m, c, sum). */
template <bool A_BY_DEPTH, bool B_BY_DEPTH, int BM, int BN, int BK, int TM, int TN, typename S>
INLINE void single_tile(const single_operands &of, int64_t first_row, int64_t first, int64_t from, int64_t to, S store) {
    enum { PAD = 4, THREADS = BM / TM * (BN / TN) };
    enum { VM = TM < 4 ? TM : 4, VN = TN < 4 ? TN : 4, GM = TM / VM, GN = TN / VN }; /* a thread's rows lie in GM groups of VM */
    __shared__ __align__(16) float as[2][BK][BM + PAD];
    __shared__ __align__(16) float bs[2][BK][BN + PAD];
    const int ty = threadIdx.x / (BN / TN);
    const int tx = threadIdx.x % (BN / TN);
    single_side<A_BY_DEPTH, BM, BK, THREADS> a(of.a, of.rows, of.depth, first_row, to);
    single_side<B_BY_DEPTH, BN, BK, THREADS> b(of.b, of.columns, of.depth, first, to);
    float sums[TM][TN] = {};
    auto fetch = [&](int64_t k) { a.fetch(k), b.fetch(k); };
    auto put = [&](int buffer) { a.put(as[buffer]), b.put(bs[buffer]); };

    fetch(from);
    put(0);
    __syncthreads();
    int buffer = 0;
    for (int64_t k0 = from; k0 < to; k0 += BK) {
        const bool more = k0 + BK < to;
        if (more) {
            fetch(k0 + BK);
        }
#pragma unroll
        for (int k = 0; k < BK; k++) {
            float u[TM], v[TN];
#pragma unroll
            for (int m = 0; m < TM; m++) {
                u[m] = as[buffer][k][m / VM * (BM / GM) + ty * VM + m % VM];
            }
#pragma unroll
            for (int c = 0; c < TN; c++) {
                v[c] = bs[buffer][k][c / VN * (BN / GN) + tx * VN + c % VN];
            }
#pragma unroll
            for (int m = 0; m < TM; m++) {
#pragma unroll
                for (int c = 0; c < TN; c++) {
                    sums[m][c] = fmaf(u[m], v[c], sums[m][c]);
                }
            }
        }
        if (more) {
            put(buffer ^ 1);
        }
        __syncthreads();
        buffer ^= 1;
    }
#pragma unroll
    for (int m = 0; m < TM; m++) {
        int64_t r = first_row + m / VM * (BM / GM) + ty * VM + m % VM;
        if (r >= of.rows) {
            continue;
        }
#pragma unroll
        for (int c = 0; c < TN; c++) {
            int64_t o = first + c / VN * (BN / GN) + tx * VN + c % VN;
            if (o < of.columns) {
                store(r, o, sums[m][c]);
            }
        }
    }
}
