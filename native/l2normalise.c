/* x[i, :] = x[i, :] / max(|x[i, :]|, 1e-12) * scale */
#include "sums.h"

#include <math.h>

int32_t T2L_KERNEL(l2_normalise)(const t2l_engine *e, float *x, int64_t n, int64_t d, float scale) {
    (void)e;
    if (n < 0 || d < 0) {
        return T2L_BAD_SIZE;
    }
    for (int64_t r = 0; r < n; r++) {
        float *row = x + r * d;
        double factor = scale / fmax(sqrt(row_squares(row, d, 0)), 1e-12);
        for (int64_t i = 0; i < d; i++) {
            row[i] = (float)(row[i] * factor);
        }
    }
    return T2L_OK;
}
