/*
 * x[i, :] = x[i, :] / max(|x[i, :]|, 1e-12) * scale
 *
 * Bytes: 8 an element. A block of 256 threads takes a row; squares are summed in double.
 */
#include "common.cuh"

KERNEL l2_normalise(float *x, int64_t d, float scale) {
    x += blockIdx.x * d;
    double squares = 0;
    for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
        squares += (double)x[i] * x[i];
    }
    double factor = scale / fmax(sqrt(block_sum(squares)), 1e-12);
    for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
        x[i] = (float)(x[i] * factor);
    }
}
