/*
 * c = a b, or c += a b. A value is a sum over k in blocks of DEPTH; each block is one accumulator, over k in order, and the blocks are
 * added in order. So how the rows and columns were cut never shows in the bits.
 */
#ifndef T2L_PRODUCT_H
#define T2L_PRODUCT_H

#include "simd.h"

#if defined(__AVX512F__) || defined(__aarch64__)
enum { TILE_VECTORS = 4 };
#else
enum { TILE_VECTORS = 2 };
#endif
enum { TILE_ROWS = 6, TILE_COLUMNS = TILE_VECTORS * LANES };
enum { DEPTH = 64 };

/* Element (i, k) is at[i * row + k * col]. */
typedef struct {
    const float *at;
    int64_t row, col;
} strided;

/* One tile of a block: rows of c by vectors of it, or by the first part lanes of one vector if part is not 0. */
INLINE void product_tile(float *c, int64_t c_stride, strided a, const float *b, int64_t b_stride, int64_t k, int rows, int vectors,
                         int64_t part, int add) {
    vf acc[TILE_ROWS * TILE_VECTORS];
    for (int i = 0; i < TILE_ROWS * TILE_VECTORS; i++) {
        acc[i] = zero();
    }
    for (int64_t at = 0; at < k; at++) {
        vf row[TILE_VECTORS];
        for (int v = 0; v < vectors; v++) {
            row[v] = part == 0 ? load(b + at * b_stride + v * LANES) : load_part(b + at * b_stride, part);
        }
        for (int i = 0; i < rows; i++) {
            vf value = splat(a.at[i * a.row + at * a.col]);
            for (int v = 0; v < vectors; v++) {
                acc[i * TILE_VECTORS + v] = fma_(value, row[v], acc[i * TILE_VECTORS + v]);
            }
        }
    }
    for (int i = 0; i < rows; i++) {
        for (int v = 0; v < vectors; v++) {
            float *to = c + i * c_stride + v * LANES;
            vf sum = acc[i * TILE_VECTORS + v];
            if (add) {
                sum = (part == 0 ? load(to) : load_part(to, part)) + sum;
            }
            if (part == 0) {
                store(to, sum);
            } else {
                store_part(to, sum, part);
            }
        }
    }
}

/* All rows of a block, for some columns. */
INLINE void product_columns(float *c, int64_t c_stride, strided a, const float *b, int64_t b_stride, int64_t m, int64_t k, int vectors,
                            int64_t part, int add) {
    int64_t i = 0;
    for (; i + TILE_ROWS <= m; i += TILE_ROWS) {
        product_tile(c + i * c_stride, c_stride, (strided){a.at + i * a.row, a.row, a.col}, b, b_stride, k, TILE_ROWS, vectors, part, add);
    }
    for (; i + 2 <= m; i += 2) {
        product_tile(c + i * c_stride, c_stride, (strided){a.at + i * a.row, a.row, a.col}, b, b_stride, k, 2, vectors, part, add);
    }
    if (i < m) {
        product_tile(c + i * c_stride, c_stride, (strided){a.at + i * a.row, a.row, a.col}, b, b_stride, k, 1, vectors, part, add);
    }
}

/* c [m, n], a [m, k], b [k, n] */
static void product(float *c, int64_t c_stride, strided a, const float *b, int64_t b_stride, int64_t m, int64_t k, int64_t n, int add) {
    for (int64_t from = 0; from == 0 || from < k; from += DEPTH) {
        int64_t depth = min64(DEPTH, k - from);
        strided here = {a.at + from * a.col, a.row, a.col};
        const float *rows = b + from * b_stride;
        int64_t at = 0;
        for (; at + TILE_COLUMNS <= n; at += TILE_COLUMNS) {
            product_columns(c + at, c_stride, here, rows + at, b_stride, m, depth, TILE_VECTORS, 0, add);
        }
        for (; at + LANES <= n; at += LANES) {
            product_columns(c + at, c_stride, here, rows + at, b_stride, m, depth, 1, 0, add);
        }
        if (at < n) {
            product_columns(c + at, c_stride, here, rows + at, b_stride, m, depth, 1, n - at, add);
        }
        add = 1;
    }
}

#endif
