/*
 * Products by tiles in f32 throughout: sums[m, c] = sum over k of a[m, k] b[k, c], b row by row of k.
 *
 * A thread has TM x TN sums; tiles of a and b, BK deep, lie in shared memory k by k, two of each: one is filled while the other is
 * multiplied. 2 flops an element, BM * BN / (BM + BN) / 2 of them for each byte read.
 *
 * Bits: every sum goes over k in its order, whatever the tile.
 */
#pragma once

#include "ptx.cuh"

/* a is [rows, depth], or [depth, rows] if TURNED; b is [depth, columns] */
struct single_operands {
    const float *__restrict__ a;
    const float *__restrict__ b;
    int64_t rows, depth, columns;
};

/* The tile of sums from (first_row, first) on, over k of [from, to), to a multiple of BK or the depth; store(m, c, sum). */
template <bool TURNED, int BM, int BN, int BK, int TM, int TN, typename S>
INLINE void single_tile(const single_operands &of, int64_t first_row, int64_t first, int64_t from, int64_t to, S store) {
    enum { PAD = 4, THREADS = BM / TM * (BN / TN), AS = BM * BK / 4 / THREADS, BS = BN * BK / 4 / THREADS };
    enum { VM = TM < 4 ? TM : 4, VN = TN < 4 ? TN : 4, GM = TM / VM, GN = TN / VN }; /* a thread's rows lie in GM groups of VM */
    static_assert(AS * THREADS * 4 == BM * BK && BS * THREADS * 4 == BN * BK, "a whole number of loads a thread");
    __shared__ __align__(16) float as[2][BK][BM + PAD];
    __shared__ __align__(16) float bs[2][BK][BN + PAD];
    const int ty = threadIdx.x / (BN / TN);
    const int tx = threadIdx.x % (BN / TN);
    const bool vector_a = vectors(of.a, TURNED ? of.rows : of.depth);
    const bool vector_b = vectors(of.b, of.columns);
    const float4 none = make_float4(0, 0, 0, 0);
    float4 next_a[AS], next_b[BS];
    float sums[TM][TN] = {};

    /* Four elements of a row of k: which k, and where they begin. */
    auto row4 = [&](const float *p, int64_t k, int64_t at, int64_t width, bool vector) { return k < to ? load4(p + k * width, at, width, vector) : none; };
    auto fetch = [&](int64_t k) {
#pragma unroll
        for (int i = 0; i < AS; i++) {
            int item = threadIdx.x + i * THREADS;
            if (TURNED) {
                next_a[i] = row4(of.a, k + item / (BM / 4), first_row + item % (BM / 4) * 4, of.rows, vector_a);
            } else {
                next_a[i] = load4(of.a + min(first_row + item / (BK / 4), of.rows - 1) * of.depth, k + item % (BK / 4) * 4, of.depth, vector_a);
            }
        }
#pragma unroll
        for (int i = 0; i < BS; i++) {
            int item = threadIdx.x + i * THREADS;
            next_b[i] = row4(of.b, k + item / (BN / 4), first + item % (BN / 4) * 4, of.columns, vector_b);
        }
    };
    auto put = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < AS; i++) {
            int item = threadIdx.x + i * THREADS;
            if (TURNED) {
                *(float4 *)&as[buffer][item / (BM / 4)][item % (BM / 4) * 4] = next_a[i];
            } else {
                const float v[4] = {next_a[i].x, next_a[i].y, next_a[i].z, next_a[i].w};
#pragma unroll
                for (int c = 0; c < 4; c++) {
                    as[buffer][item % (BK / 4) * 4 + c][item / (BK / 4)] = v[c];
                }
            }
        }
#pragma unroll
        for (int i = 0; i < BS; i++) {
            int item = threadIdx.x + i * THREADS;
            *(float4 *)&bs[buffer][item / (BN / 4)][item % (BN / 4) * 4] = next_b[i];
        }
    };

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
