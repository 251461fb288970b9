/*
 * Dropout and uniform noise, by the random numbers of dev.t2l.backend.Noise: a function of a seed and the element, so that the same call
 * is also the backward.
 *
 * Bytes: 8 an element. A thread takes one element, then the next a whole grid further on.
 */
#include "common.cuh"

INLINE uint32_t noise_bits(uint64_t seed, int64_t i) {
    uint64_t z = seed + (uint64_t)(i + 1) * 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

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
