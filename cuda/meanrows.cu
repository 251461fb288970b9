/*
 * out[s, :] = mean of x[ranges[s,0] .. ranges[s,1], :], summed in double, row after row
 *
 * Bytes: 4 an element of the ranges. grid = (columns / 128, segments); a thread takes a column, a warp reads 128 bytes of a row.
 */
#include "common.cuh"

KERNEL mean_rows(float *out, const float *x, int64_t n, int64_t d, const int *ranges, int *fault) {
    int64_t from = ranges[2 * blockIdx.y];
    int64_t to = ranges[2 * blockIdx.y + 1];
    if (from < 0 || to <= from || to > n) {
        report(fault, T2L_FAULT_MEAN_ROWS);
        return;
    }
    int64_t c = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
    if (c >= d) {
        return;
    }
    double sum = 0;
#pragma unroll 4
    for (int64_t i = from; i < to; i++) {
        sum += x[i * d + c];
    }
    out[blockIdx.y * d + c] = (float)(sum / (double)(to - from));
}
