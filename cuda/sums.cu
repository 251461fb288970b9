/*
 * out[0] = sum of x^2, and distances: loss[0] += weight * sum |x - target|, dx = weight * sign(x - target), or with squares.
 *
 * Bytes: 4 or 12 an element. Two launches: every block's sum in double, an element every grid's worth; then one block adds them. How many
 * blocks there are follows from the number of elements alone.
 */
#include "common.cuh"

KERNEL sum_squares(double *partial, const float *x, int64_t n) {
    double sum = 0;
#pragma unroll 4
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        sum += (double)x[i] * x[i];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = sum;
    }
}

KERNEL distance(double *partial, float *dx, const float *x, const float *target, int64_t n, float weight, int squared) {
    double sum = 0;
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        double gap = (double)x[i] - target[i];
        sum += squared ? gap * gap : fabs(gap);
        dx[i] = (float)(weight * (squared ? 2 * gap : gap > 0 ? 1 : gap < 0 ? -1 : gap)); /* NaN stays */
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = sum;
    }
}

/* One block: out[0] = weight * the sum of count partial ones, or added to it. */
KERNEL finish_sum(float *out, const double *partial, int64_t count, float weight, int add) {
    double sum = 0;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
        sum += partial[i];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        out[0] = (float)((add ? out[0] : 0) + weight * sum);
    }
}
