/* Products of a vector with rows that lie one after the other. */
#ifndef T2L_DOTS_H
#define T2L_DOTS_H

#include "simd.h"

enum { ROW_GROUP = 4 };

INLINE void dots(const float *x, const float *rows, int64_t k, int count, vf *acc) {
    int64_t i = 0;
    for (; i + LANES <= k; i += LANES) {
        vf xv = load(x + i);
        for (int r = 0; r < count; r++) {
            acc[r] = fma_(xv, load(rows + r * k + i), acc[r]);
        }
    }
    if (i < k) {
        vf xv = load_part(x + i, k - i);
        for (int r = 0; r < count; r++) {
            acc[r] = fma_(xv, load_part(rows + r * k + i, k - i), acc[r]);
        }
    }
}

/* Four products of x with consecutive rows of length k; those beyond count are 0. */
INLINE vf4 four_dots(const float *x, const float *rows, int64_t k, int64_t count) {
    vf acc[ROW_GROUP] = {zero(), zero(), zero(), zero()};
    if (count >= ROW_GROUP) {
        dots(x, rows, k, ROW_GROUP, acc);
    } else {
        for (int64_t r = 0; r < count; r++) {
            dots(x, rows + r * k, k, 1, acc + r);
        }
    }
    return sum4(acc[0], acc[1], acc[2], acc[3]);
}

#endif
