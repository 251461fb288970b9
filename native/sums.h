/* Sums of a row in double: eight of them side by side, so the order is the same in every instruction set. */
#ifndef T2L_SUMS_H
#define T2L_SUMS_H

#include "kernel.h"

enum { SUMS = 8 };

INLINE double total(const double *s) {
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

INLINE double row_sum(const float *x, int64_t n) {
    double s[SUMS] = {0};
    int64_t i = 0;
    for (; i + SUMS <= n; i += SUMS) {
        for (int l = 0; l < SUMS; l++) {
            s[l] += x[i + l];
        }
    }
    for (; i < n; i++) {
        s[0] += x[i];
    }
    return total(s);
}

/* sum of (x - centre)^2 */
INLINE double row_squares(const float *x, int64_t n, double centre) {
    double s[SUMS] = {0};
    int64_t i = 0;
    for (; i + SUMS <= n; i += SUMS) {
        for (int l = 0; l < SUMS; l++) {
            double v = x[i + l] - centre;
            s[l] += v * v;
        }
    }
    for (; i < n; i++) {
        double v = x[i] - centre;
        s[0] += v * v;
    }
    return total(s);
}

#endif
