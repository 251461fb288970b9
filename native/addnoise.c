/* x[i, j] += magnitude[i] * u, u uniform in [-1, 1) */
#include "noise.h"

typedef struct {
    float *x;
    int64_t d;
    const float *magnitude;
    int64_t seed;
    split split;
} noise_job;

static void rows(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const noise_job *j = job;
    for (int64_t r = first_item(&j->split, piece); r < last_item(&j->split, piece); r++) {
        for (int64_t i = r * j->d; i < (r + 1) * j->d; i++) {
            float u = (float)(int32_t)(noise_bits(j->seed, i) >> 8) * 0x1p-23f - 1;
            j->x[i] += j->magnitude[r] * u;
        }
    }
}

int32_t T2L_KERNEL(add_noise)(const t2l_engine *e, float *x, int64_t n, int64_t d, const float *magnitude, int64_t seed) {
    if (n < 0 || d < 0) {
        return T2L_BAD_SIZE;
    }
    noise_job job = {x, d, magnitude, seed, split_items(e, n, 1, n * d * WORK_OF_NOISE)};
    run_split(e, &job.split, rows, &job);
    return T2L_OK;
}
