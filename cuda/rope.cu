/*
 * Rotary position embedding: the angles of positions, and the rotation of heads by them.
 *
 * Bytes: 8 an element of x. rope_angles: a thread an angle. rope: a block of 256 threads takes a row, a thread every 256th pair.
 * The angle is the f32 product that the models were trained with; its sine and cosine are the accurate ones, for any size of it.
 */
#include "common.cuh"

/* out[i, j] = factor cos(a), out[i, h + j] = factor sin(a), a = positions[i] * inv_freq[j] */
KERNEL rope_angles(float *out, const int *positions, int64_t n, const float *inv_freq, int64_t h, float factor) {
    int64_t at = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
    if (at >= n * h) {
        return;
    }
    int64_t i = at / h;
    int64_t j = at % h;
    float s, c;
    sincosf(__fmul_rn((float)positions[i], inv_freq[j]), &s, &c);
    out[i * 2 * h + j] = factor * c;
    out[i * 2 * h + h + j] = factor * s;
}

/* Pairs (j, j + h), or (2j, 2j + 1) if interleaved, of every head of 2h. */
KERNEL rope(float *x, int heads, int h, const float *angles, int interleaved) {
    x += blockIdx.x * (int64_t)heads * 2 * h;
    angles += blockIdx.x * (int64_t)2 * h;
    for (int pair = threadIdx.x; pair < heads * h; pair += blockDim.x) {
        int j = pair % h;
        float *head = x + pair / h * 2 * h;
        float *first = head + (interleaved ? 2 * j : j);
        float *second = head + (interleaved ? 2 * j + 1 : j + h);
        float c = angles[j], s = angles[h + j], a = *first, b = *second;
        *first = a * c - b * s;
        *second = b * c + a * s;
    }
}
