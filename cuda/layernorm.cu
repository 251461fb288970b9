/*
 * out = (x - mean) / sqrt(var + eps) * weight + bias, a row at a time; biased variance; out may be x
 *
 * Bytes: 8 an element (the later readings of x hit the cache). A block of 256 threads takes a row; sums are in double.
 */
#include "formats.cuh"

KERNEL layer_norm(float *out, const float *x, int64_t d, const uint8_t *weight, int type, const uint8_t *bias, int bias_type, float eps) {
    x += blockIdx.x * d;
    out += blockIdx.x * d;
    double sum = 0;
    for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
        sum += x[i];
    }
    double mean = block_sum(sum) / (double)d;
    double squares = 0;
    for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
        double centred = x[i] - mean;
        squares += centred * centred;
    }
    double factor = 1 / sqrt(block_sum(squares) / (double)d + eps);
    for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
        out[i] = (float)((x[i] - mean) * factor) * row_element(weight, type, i) + row_element(bias, bias_type, i);
    }
}
