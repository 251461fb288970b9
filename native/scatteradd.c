/* dtable[ids[i], :] += scale * dy[i, column .. column+d), in the order of i: threads share the columns. */
#include "kernel.h"

typedef struct {
    float *dtable;
    int64_t d;
    const float *dy;
    int64_t dy_cols;
    const int32_t *ids;
    int64_t n;
    float scale;
    split split;
} scatter_job;

static void columns(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const scatter_job *j = job;
    int64_t from = first_item(&j->split, piece);
    int64_t to = last_item(&j->split, piece);
    for (int64_t i = 0; i < j->n; i++) {
        float *row = j->dtable + j->ids[i] * j->d;
        const float *dy = j->dy + i * j->dy_cols;
        for (int64_t c = from; c < to; c++) {
            row[c] += j->scale * dy[c];
        }
    }
}

int32_t T2L_KERNEL(scatter_add)(const t2l_engine *e, float *dtable, int64_t rows, int64_t d, const float *dy, int64_t dy_cols, int64_t column,
                                const int32_t *ids, int64_t n, float scale) {
    if (n < 0 || d < 0 || column < 0 || column + d > dy_cols) {
        return T2L_BAD_SIZE;
    }
    for (int64_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= rows) {
            return T2L_BAD_INDEX;
        }
    }
    enum { CACHE_LINE = 16 };
    scatter_job job = {dtable, d, dy + column, dy_cols, ids, n, scale, split_items(e, d, CACHE_LINE, n * d)};
    run_split(e, &job.split, columns, &job);
    return T2L_OK;
}
