/* out[index[i], :] = x[i, :] */
#include "kernel.h"

#include <string.h>

int32_t T2L_KERNEL(scatter)(const t2l_engine *e, float *out, int64_t rows, const float *x, const int32_t *index, int64_t n, int64_t d) {
    (void)e;
    if (n < 0 || d < 0) {
        return T2L_BAD_SIZE;
    }
    for (int64_t i = 0; i < n; i++) {
        if (index[i] < 0 || index[i] >= rows) {
            return T2L_BAD_INDEX;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        memcpy(out + index[i] * d, x + i * d, (size_t)d * 4);
    }
    return T2L_OK;
}
