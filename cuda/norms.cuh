/*
 * Rows of a norm: a block of 256 threads takes a row, and keeps it in registers from reading to writing if it has at most 4096 elements, a
 * multiple of 4, and starts at one of 16 bytes. Which way is taken follows from a row's length and place alone.
 */
#pragma once

#include "formats.cuh"

enum { NORM_THREADS = 256 };

/* Four consecutive elements of a row of any type. */
INLINE float4 row_elements4(const uint8_t *row, int type, int64_t i) {
    if (type == T2L_F32 && (uintptr_t)row % 16 == 0) {
        return *(const float4 *)(row + 4 * i);
    }
    return make_float4(row_element(row, type, i), row_element(row, type, i + 1), row_element(row, type, i + 2), row_element(row, type, i + 3));
}

/* Thread t has elements 4t .. 4t + 3 and those 1024, 2048, ... further on; zeros beyond the end. */
template <int N> struct norm_row {
    float4 v[N];

    static __device__ __forceinline__ int64_t at(int i) {
        return 4 * (int64_t)(threadIdx.x + i * NORM_THREADS);
    }

    template <typename F> static __device__ __forceinline__ void each(int64_t d, F f) {
#pragma unroll
        for (int i = 0; i < N; i++) {
            if (at(i) < d) {
                f(i, at(i));
            }
        }
    }

    __device__ __forceinline__ void load(const float *x, int64_t d) {
#pragma unroll
        for (int i = 0; i < N; i++) {
            v[i] = at(i) < d ? *(const float4 *)(x + at(i)) : make_float4(0, 0, 0, 0);
        }
    }
};

/* Whether all of these may be read four elements at a time, rows of d. */
INLINE bool norm_vectors(const void *a, const void *b, const void *c, int64_t d) {
    return d <= 4 * 4 * NORM_THREADS && d % 4 == 0 && ((uintptr_t)a | (uintptr_t)b | (uintptr_t)c) % 16 == 0;
}
