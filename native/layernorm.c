/* out = (x - mean) / sqrt(var + eps) * weight + bias, a row at a time; biased variance */
#include "formats.h"
#include "sums.h"

#include <math.h>

typedef struct {
    float *out;
    const float *x;
    int64_t d;
    const void *weight, *bias;
    int32_t type, bias_type;
    float eps;
    split split;
} layer_norm_job;

static void rows(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const layer_norm_job *j = job;
    for (int64_t r = first_item(&j->split, piece); r < last_item(&j->split, piece); r++) {
        const float *x = j->x + r * j->d;
        float *out = j->out + r * j->d;
        double exact_mean = row_sum(x, j->d) / (double)j->d;
        vf factor = splat((float)(1 / sqrt(row_squares(x, j->d, exact_mean) / (double)j->d + j->eps)));
        vf mean = splat((float)exact_mean);
        vf rest = splat((float)(exact_mean - (double)(float)exact_mean));
        int64_t i = 0;
        for (; i + LANES <= j->d; i += LANES) {
            vf centred = (load(x + i) - mean) - rest;
            store(out + i, fma_(centred * factor, elements(j->weight, j->type, i), elements(j->bias, j->bias_type, i)));
        }
        if (i < j->d) {
            int64_t n = j->d - i;
            vf centred = (load_part(x + i, n) - mean) - rest;
            store_part(out + i, fma_(centred * factor, elements_part(j->weight, j->type, i, n), elements_part(j->bias, j->bias_type, i, n)), n);
        }
    }
}

int32_t T2L_KERNEL(layer_norm)(const t2l_engine *e, float *out, const float *x, int64_t n, int64_t d, const void *weight, int32_t type,
                               const void *bias, int32_t bias_type, float eps) {
    if (!is_plain(type) || !is_plain(bias_type)) {
        return T2L_BAD_TYPE;
    }
    if (n < 0 || d < 0) {
        return T2L_BAD_SIZE;
    }
    layer_norm_job job = {out, x, d, weight, bias, type, bias_type, eps, split_items(e, n, 1, 2 * n * d)};
    run_split(e, &job.split, rows, &job);
    return T2L_OK;
}
