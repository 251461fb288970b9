/* out = x / sqrt(mean(x^2) + eps) * (weight + offset), a row at a time, and backwards. */
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

typedef struct {
    float *dx;
    const float *dy, *x;
    int64_t d;
    const void *weight;
    int32_t type;
    float eps, offset;
    int32_t add;
    split split;
} backward_job;

/* With f = 1 / sqrt(mean(x^2) + eps) and g = dy * (weight + offset): dx = f g - x f^3 (x . g) / d. */
static void rows_backward(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const backward_job *j = job;
    vf offset = splat(j->offset);
    for (int64_t r = first_item(&j->split, piece); r < last_item(&j->split, piece); r++) {
        const float *x = j->x + r * j->d;
        const float *dy = j->dy + r * j->d;
        float *dx = j->dx + r * j->d;
        double dots[SUMS] = {0};
        for (int64_t i = 0; i < j->d; i += LANES) {
            int64_t n = min64(LANES, j->d - i);
            float g[LANES];
            store(g, load_some(dy + i, n) * (elements_some(j->weight, j->type, i, n) + offset));
            for (int64_t l = 0; l < n; l++) {
                dots[(i + l) % SUMS] += (double)x[i + l] * g[l];
            }
        }
        double factor = 1 / sqrt(row_squares(x, j->d, 0) / (double)j->d + j->eps);
        vf near = splat((float)factor);
        vf pull = splat((float)(factor * factor * factor * total(dots) / (double)j->d));
        for (int64_t i = 0; i < j->d; i += LANES) {
            int64_t n = min64(LANES, j->d - i);
            vf g = load_some(dy + i, n) * (elements_some(j->weight, j->type, i, n) + offset);
            vf result = g * near - load_some(x + i, n) * pull;
            if (j->add) {
                result = load_some(dx + i, n) + result;
            }
            store_some(dx + i, result, n);
        }
    }
}

int32_t T2L_KERNEL(rms_norm_backward)(const t2l_engine *e, float *dx, const float *dy, const float *x, int64_t n, int64_t d,
                                      const void *weight, int32_t type, float eps, float offset, int32_t add) {
    if (!is_plain(type)) {
        return T2L_BAD_TYPE;
    }
    if (n < 0 || d < 0) {
        return T2L_BAD_SIZE;
    }
    backward_job job = {dx, dy, x, d, weight, type, eps, offset, add, split_items(e, n, 1, 3 * n * d)};
    run_split(e, &job.split, rows_backward, &job);
    return T2L_OK;
}
