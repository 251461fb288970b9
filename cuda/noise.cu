/*
 * Dropout and uniform noise, by the random numbers of noise.cuh: a function of a seed and the element, so that the same call
 * is also the backward.
 *
 * Bytes: 8 an element. A thread takes one element, then the next a whole grid further on.
 */
#include "noise.cuh"

/* out = x * factor where the bits reach the threshold, else 0; out may be x */
KERNEL dropout(float *out, const float *x, int64_t n, uint32_t threshold, float factor, uint64_t seed) {
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        out[i] = noise_bits(seed, i) >= threshold ? x[i] * factor : 0;
    }
}

/* x [rows, d] += magnitude [rows] * u, u in [-1, 1) */
KERNEL add_noise(float *x, int64_t n, int64_t d, const float *magnitude, uint64_t seed) {
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        float u = (float)(noise_bits(seed, i) >> 8) * 0x1p-23f - 1;
        x[i] = __fadd_rn(x[i], __fmul_rn(magnitude[i / d], u));
    }
}
