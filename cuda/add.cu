/*
 * y += alpha * x
 *
 * Bytes: 12 an element; a thread takes one element, then the next a whole grid further on. Rounded twice, as the other backends do.
 */
#include "common.cuh"

KERNEL add(float *y, const float *x, int64_t n, float alpha) {
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        y[i] = __fadd_rn(y[i], __fmul_rn(alpha, x[i]));
    }
}
