/*
 * out = x / sqrt(mean(x^2) + eps) * (weight + offset), a row at a time; out may be x
 *
 * Bytes: 8 an element (the second reading of x hits the cache). A block of 256 threads takes a row; squares are summed in double.
 */
#include "formats.cuh"

KERNEL rms_norm(float *out, const float *x, int64_t d, const uint8_t *weight, int type, float eps, float offset) {
    x += blockIdx.x * d;
    out += blockIdx.x * d;
    double squares = 0;
    for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
        squares += (double)x[i] * x[i];
    }
    float factor = (float)(1 / sqrt(block_sum(squares) / (double)d + eps));
    for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
        out[i] = x[i] * factor * (row_element(weight, type, i) + offset);
    }
}
