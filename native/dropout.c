/* out[i] = x[i] * factor where an element's random bits reach the threshold, else 0 */
#include "noise.h"

typedef struct {
    float *out;
    const float *x;
    uint32_t threshold;
    float factor;
    int64_t seed;
    split split;
} dropout_job;

static void elements(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const dropout_job *j = job;
    int64_t to = last_item(&j->split, piece);
    for (int64_t i = first_item(&j->split, piece); i < to; i++) {
        float kept = j->x[i] * j->factor;
        j->out[i] = noise_bits(j->seed, i) >= j->threshold ? kept : 0;
    }
}

int32_t T2L_KERNEL(dropout)(const t2l_engine *e, float *out, const float *x, int64_t n, int32_t threshold, float factor, int64_t seed) {
    if (n < 0) {
        return T2L_BAD_SIZE;
    }
    dropout_job job = {out, x, (uint32_t)threshold, factor, seed, split_items(e, n, 1, n * WORK_OF_NOISE)};
    run_split(e, &job.split, elements, &job);
    return T2L_OK;
}
