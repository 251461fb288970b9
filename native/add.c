/* y += alpha * x */
#include "kernel.h"

typedef struct {
    float *y;
    const float *x;
    float alpha;
    split split;
} add_job;

static void elements(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const add_job *j = job;
    int64_t to = last_item(&j->split, piece);
    for (int64_t i = first_item(&j->split, piece); i < to; i++) {
        j->y[i] += j->alpha * j->x[i];
    }
}

int32_t T2L_KERNEL(add)(const t2l_engine *e, float *y, const float *x, int64_t n, float alpha) {
    if (n < 0) {
        return T2L_BAD_SIZE;
    }
    add_job job = {y, x, alpha, split_items(e, n, 1, n)};
    run_split(e, &job.split, elements, &job);
    return T2L_OK;
}
