/* out[s, :] = mean of x[ranges[s,0] .. ranges[s,1], :], summed in double, row after row. */
#include "kernel.h"

enum { COLUMNS = 64 }; /* summed at a time */

int32_t T2L_KERNEL(mean_rows)(const t2l_engine *e, float *out, const float *x, int64_t n, int64_t d, const int32_t *ranges, int64_t segments) {
    (void)e;
    if (n < 0 || d < 0 || segments < 0) {
        return T2L_BAD_SIZE;
    }
    for (int64_t s = 0; s < segments; s++) {
        int64_t from = ranges[2 * s];
        int64_t to = ranges[2 * s + 1];
        if (from < 0 || to <= from || to > n) {
            return T2L_BAD_INDEX;
        }
        for (int64_t c = 0; c < d; c += COLUMNS) {
            int64_t width = min64(COLUMNS, d - c);
            double sums[COLUMNS] = {0};
            for (int64_t i = from; i < to; i++) {
                for (int64_t k = 0; k < width; k++) {
                    sums[k] += x[i * d + c + k];
                }
            }
            for (int64_t k = 0; k < width; k++) {
                out[s * d + c + k] = (float)(sums[k] / (double)(to - from));
            }
        }
    }
    return T2L_OK;
}
