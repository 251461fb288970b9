/* out = x / sqrt(mean(x^2) + eps) * (weight + offset), a row at a time */
#include "formats.h"
#include "sums.h"

#include <math.h>

typedef struct {
    float *out;
    const float *x;
    int64_t d;
    const void *weight;
    int32_t type;
    float eps, offset;
    split split;
} rms_norm_job;

static void rows(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const rms_norm_job *j = job;
    vf offset = splat(j->offset);
    for (int64_t r = first_item(&j->split, piece); r < last_item(&j->split, piece); r++) {
        const float *x = j->x + r * j->d;
        float *out = j->out + r * j->d;
        vf factor = splat((float)(1 / sqrt(row_squares(x, j->d, 0) / (double)j->d + j->eps)));
        int64_t i = 0;
        for (; i + LANES <= j->d; i += LANES) {
            store(out + i, load(x + i) * factor * (elements(j->weight, j->type, i) + offset));
        }
        if (i < j->d) {
            store_part(out + i, load_part(x + i, j->d - i) * factor * (elements_part(j->weight, j->type, i, j->d - i) + offset), j->d - i);
        }
    }
}

int32_t T2L_KERNEL(rms_norm)(const t2l_engine *e, float *out, const float *x, int64_t n, int64_t d, const void *weight, int32_t type,
                             float eps, float offset) {
    if (!is_plain(type)) {
        return T2L_BAD_TYPE;
    }
    if (n < 0 || d < 0) {
        return T2L_BAD_SIZE;
    }
    rms_norm_job job = {out, x, d, weight, type, eps, offset, split_items(e, n, 1, n * d)};
    run_split(e, &job.split, rows, &job);
    return T2L_OK;
}
