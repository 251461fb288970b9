/*
 * rms_norm and layer_norm backwards, a row at a time; dx may be added to.
 *
 * RMS, w with its offset: dx = factor * (dy * w) - x * factor^3 * mean(x * dy * w). Layer, y the normed row: dx = factor * (dy * w -
 * mean(dy * w) - y * mean(dy * w * y)).
 *
 * Bytes: 12 an element, 16 added; the second reading hits the cache. A block of 256 threads takes a row; sums are in double. A layer
 * norm's dweight = sum of dy * y and dbias = sum of dy go over pieces of 32 rows first, which are then added in their order.
 */
#include "norms.cuh"

enum { PIECE = 32 };

INLINE void put(float *p, float v, int add) {
    *p = add ? *p + v : v;
}

KERNEL rms_norm_backward(float *dx, const float *dy, const float *x, int64_t d, const uint8_t *weight, int type, float eps, float offset, int add) {
    dx += blockIdx.x * d;
    dy += blockIdx.x * d;
    x += blockIdx.x * d;
    double squares = 0, dot = 0;
    for (int64_t i = threadIdx.x; i < d; i += NORM_THREADS) {
        squares += (double)x[i] * x[i];
        dot += (double)x[i] * (dy[i] * (row_element(weight, type, i) + offset));
    }
    double factor = 1 / sqrt(block_sum(squares) / (double)d + eps);
    float pull = (float)(block_sum(dot) * factor * factor * factor / (double)d);
    for (int64_t i = threadIdx.x; i < d; i += NORM_THREADS) {
        put(dx + i, dy[i] * (row_element(weight, type, i) + offset) * (float)factor - x[i] * pull, add);
    }
}

/* statistics [n, 2], mean and factor of each row, or null */
KERNEL layer_norm_backward(float *dx, const float *dy, const float *x, int64_t d, const uint8_t *weight, int type, float eps, int add, float *statistics) {
    dx += blockIdx.x * d;
    dy += blockIdx.x * d;
    x += blockIdx.x * d;
    double sum = 0, squares = 0, all = 0, dot = 0;
    for (int64_t i = threadIdx.x; i < d; i += NORM_THREADS) {
        sum += x[i];
    }
    const double mean = block_sum(sum) / (double)d;
    for (int64_t i = threadIdx.x; i < d; i += NORM_THREADS) {
        double centred = x[i] - mean;
        double g = (double)dy[i] * row_element(weight, type, i);
        squares += centred * centred;
        all += g;
        dot += g * centred;
    }
    const double factor = 1 / sqrt(block_sum(squares) / (double)d + eps);
    const double pull = block_sum(dot) * factor * factor / (double)d; /* on the centred row */
    const double shift = block_sum(all) / (double)d;
    for (int64_t i = threadIdx.x; i < d; i += NORM_THREADS) { /* in double: short rows leave little of their terms */
        put(dx + i, (float)(factor * ((double)dy[i] * row_element(weight, type, i) - shift - (x[i] - mean) * pull)), add);
    }
    if (statistics != nullptr && threadIdx.x == 0) {
        statistics[2 * blockIdx.x] = (float)mean;
        statistics[2 * blockIdx.x + 1] = (float)factor;
    }
}

/* Grid: 256s of columns, pieces of rows. partial [pieces, 2, d]: of dweight and dbias */
KERNEL layer_norm_pieces(float *partial, const float *dy, const float *x, int64_t n, int64_t d, const float *statistics) {
    const int64_t j = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
    const int64_t first = blockIdx.y * (int64_t)PIECE;
    if (j >= d) {
        return;
    }
    float weight = 0, bias = 0;
#pragma unroll 4
    for (int64_t i = first; i < min(first + PIECE, n); i++) {
        float g = dy[i * d + j];
        weight = fmaf(g, (x[i * d + j] - statistics[2 * i]) * statistics[2 * i + 1], weight);
        bias += g;
    }
    partial[(blockIdx.y * 2) * d + j] = weight;
    partial[(blockIdx.y * 2 + 1) * d + j] = bias;
}

/* Grid: 256s of columns. */
KERNEL layer_norm_gradients(float *dweight, float *dbias, const float *partial, int64_t pieces, int64_t d) {
    const int64_t j = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
    if (j >= d) {
        return;
    }
    float weight = 0, bias = 0;
    for (int64_t p = 0; p < pieces; p++) {
        weight += partial[2 * p * d + j];
        bias += partial[(2 * p + 1) * d + j];
    }
    dweight[j] += weight;
    dbias[j] += bias;
}
