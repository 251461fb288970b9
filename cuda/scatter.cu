/*
 * out[index[i], :] = x[i, :]
 *
 * Bytes: 8 an element. A block of 256 threads takes a row.
 */
#include "common.cuh"

KERNEL scatter(float *out, int64_t rows, const float *x, const int *index, int64_t d, int *fault) {
    int to = index[blockIdx.x];
    if (to < 0 || to >= rows) {
        report(fault, T2L_FAULT_SCATTER);
        return;
    }
    for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
        out[to * d + i] = x[blockIdx.x * d + i];
    }
}
