/* A step of AdamW, each element in double. */
#include "kernel.h"

#include <math.h>

typedef struct {
    float *restrict w;
    const float *restrict g;
    float *restrict m;
    float *restrict v;
    double keep, beta1, beta2, eps, rate, second, grad_scale; /* rate over the first bias correction; second: the root of the other */
    split split;
} adam_job;

static void elements(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    adam_job j = *(const adam_job *)job;
    int64_t to = last_item(&j.split, piece);
    for (int64_t i = first_item(&j.split, piece); i < to; i++) {
        double g = j.g[i] * j.grad_scale;
        double mean = j.beta1 * j.m[i] + (1 - j.beta1) * g;
        double square = j.beta2 * j.v[i] + (1 - j.beta2) * g * g;
        j.m[i] = (float)mean;
        j.v[i] = (float)square;
        j.w[i] = (float)(j.w[i] * j.keep - j.rate * mean / (sqrt(square) / j.second + j.eps));
    }
}

int32_t T2L_KERNEL(adam_w)(const t2l_engine *e, float *w, const float *g, float *m, float *v, int64_t n, float rate, float beta1, float beta2,
                           float eps, float decay, int64_t step, float grad_scale) {
    if (n < 0 || step < 1) {
        return T2L_BAD_SIZE;
    }
    enum { WORK_AN_ELEMENT = 8 };
    adam_job job = {w, g, m, v, 1 - (double)rate * decay, beta1, beta2, eps, rate / (1 - pow(beta1, (double)step)),
                    sqrt(1 - pow(beta2, (double)step)), grad_scale, split_items(e, n, 16, n * WORK_AN_ELEMENT)};
    run_split(e, &job.split, elements, &job);
    return T2L_OK;
}
