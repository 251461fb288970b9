/* out = (x - mean) / sqrt(var + eps) * weight + bias, a row at a time; biased variance. And backwards. */
#include "formats.h"
#include "sums.h"

#include <math.h>
#include <stdlib.h>

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

enum { COLUMNS = 64 }; /* of weight and bias, summed at a time */

/* Of a row: mean, and 1 / deviation. */
typedef struct {
    double mean, factor;
} moments;

typedef struct {
    float *dx, *dweight, *dbias;
    const float *dy, *x;
    int64_t n, d;
    const void *weight;
    int32_t type;
    float eps;
    int32_t add;
    moments *moments;
    split split;
} backward_job;

/* With z = (x - mean) * factor and g = dy * weight: dx = factor * (g - mean of g - z * mean of g z). */
static void rows_backward(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const backward_job *j = job;
    double d = (double)j->d;
    for (int64_t r = first_item(&j->split, piece); r < last_item(&j->split, piece); r++) {
        const float *x = j->x + r * j->d;
        const float *dy = j->dy + r * j->d;
        float *dx = j->dx + r * j->d;
        double mean = row_sum(x, j->d) / d;
        double factor = 1 / sqrt(row_squares(x, j->d, mean) / d + j->eps);
        j->moments[r] = (moments){mean, factor};
        double sums[SUMS] = {0};
        double dots[SUMS] = {0};
        float w[LANES];
        for (int64_t i = 0; i < j->d; i++) {
            if (i % LANES == 0) {
                store(w, elements_some(j->weight, j->type, i, j->d - i));
            }
            double g = (double)dy[i] * w[i % LANES];
            sums[i % SUMS] += g;
            dots[i % SUMS] += g * (x[i] - mean) * factor;
        }
        double mean_g = total(sums) / d;
        double mean_dot = total(dots) / d;
        for (int64_t i = 0; i < j->d; i++) {
            if (i % LANES == 0) {
                store(w, elements_some(j->weight, j->type, i, j->d - i));
            }
            double v = factor * ((double)dy[i] * w[i % LANES] - mean_g - (x[i] - mean) * factor * mean_dot);
            dx[i] = (float)(j->add ? dx[i] + v : v);
        }
    }
}

static void columns_backward(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const backward_job *j = job;
    int64_t to = last_item(&j->split, piece);
    for (int64_t at = first_item(&j->split, piece); at < to; at += COLUMNS) {
        int64_t width = min64(COLUMNS, to - at);
        double weights[COLUMNS] = {0};
        double biases[COLUMNS] = {0};
        for (int64_t r = 0; r < j->n; r++) {
            moments row = j->moments[r];
            for (int64_t c = 0; c < width; c++) {
                double dy = j->dy[r * j->d + at + c];
                weights[c] += dy * (j->x[r * j->d + at + c] - row.mean) * row.factor;
                biases[c] += dy;
            }
        }
        for (int64_t c = 0; c < width; c++) {
            j->dweight[at + c] = (float)(j->dweight[at + c] + weights[c]);
            j->dbias[at + c] = (float)(j->dbias[at + c] + biases[c]);
        }
    }
}

int32_t T2L_KERNEL(layer_norm_backward)(const t2l_engine *e, float *dx, float *dweight, float *dbias, const float *dy, const float *x,
                                        int64_t n, int64_t d, const void *weight, int32_t type, float eps, int32_t add) {
    if (!is_plain(type)) {
        return T2L_BAD_TYPE;
    }
    if (n < 0 || d < 0) {
        return T2L_BAD_SIZE;
    }
    moments *rows = malloc((size_t)(n + 1) * sizeof(moments));
    if (rows == NULL) {
        return T2L_NO_MEMORY;
    }
    backward_job job = {dx, dweight, dbias, dy, x, n, d, weight, type, eps, add, rows, split_items(e, n, 1, 4 * n * d)};
    run_split(e, &job.split, rows_backward, &job);
    if (dweight != NULL) {
        job.split = split_items(e, d, COLUMNS, 2 * n * d);
        run_split(e, &job.split, columns_backward, &job);
    }
    free(rows);
    return T2L_OK;
}
