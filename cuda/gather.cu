/*
 * out[i, column .. column+d) = scale * table[ids[i], :]
 *
 * Bytes: the row as stored, and 4 an element written. A block of 256 threads takes a row, a thread every 256th element.
 */
#include "formats.cuh"

KERNEL gather(float *out, int64_t out_cols, int64_t column, const uint8_t *table, int type, int64_t rows, int64_t d, const int *ids, float scale,
              int *fault) {
    int id = ids[blockIdx.x];
    if (id < 0 || id >= rows) {
        report(fault, T2L_FAULT_GATHER);
        return;
    }
    out += blockIdx.x * out_cols + column;
    const uint8_t *row = table + id * (d / block_elements(type) * block_bytes(type));
    for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
        out[i] = row_element(row, type, i) * scale;
    }
}
