/*
 * dtable[ids[i], :] += scale * dy[i, column .. column+d), in the order of i.
 *
 * A block of 256 threads takes an i; the first of an id's adds all of them, the others have nothing to do.
 */
#include "common.cuh"

KERNEL scatter_add(float *table, int64_t rows, int64_t d, const float *dy, int64_t dy_cols, int64_t column, const int *ids, int64_t n, float scale, int *fault) {
    __shared__ int earlier;
    const int64_t first = blockIdx.x;
    const int id = ids[first];
    if (id < 0 || id >= rows) {
        report(fault, T2L_FAULT_SCATTER_ADD);
        return;
    }
    if (threadIdx.x == 0) {
        earlier = 0;
    }
    __syncthreads();
    for (int64_t i = threadIdx.x; i < first; i += blockDim.x) {
        if (ids[i] == id) {
            earlier = 1;
        }
    }
    __syncthreads();
    if (earlier) {
        return;
    }
    for (int64_t j = threadIdx.x; j < d; j += blockDim.x) {
        float sum = table[id * d + j];
        for (int64_t i = first; i < n; i++) {
            if (ids[i] == id) {
                sum += scale * dy[i * dy_cols + column + j];
            }
        }
        table[id * d + j] = sum;
    }
}
