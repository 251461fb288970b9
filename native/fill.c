/* x = value */
#include "kernel.h"

typedef struct {
    float *x;
    float value;
    split split;
} fill_job;

static void elements(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const fill_job *j = job;
    int64_t to = last_item(&j->split, piece);
    for (int64_t i = first_item(&j->split, piece); i < to; i++) {
        j->x[i] = j->value;
    }
}

int32_t T2L_KERNEL(fill)(const t2l_engine *e, float *x, int64_t n, float value) {
    if (n < 0) {
        return T2L_BAD_SIZE;
    }
    fill_job job = {x, value, split_items(e, n, 1, n)};
    run_split(e, &job.split, elements, &job);
    return T2L_OK;
}
