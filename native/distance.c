/* loss += weight * sum |x - target|, dx = weight * sign(x - target); or the square and its gradient */
#include "chunks.h"

typedef struct {
    float *dx;
    const float *x, *target;
    int64_t n;
    float weight;
    int32_t squared;
    double *sums;
} distance_job;

static void absolute(const distance_job *j, int64_t i, double *sum) {
    double gap = (double)j->x[i] - j->target[i];
    *sum += gap < 0 ? -gap : gap;
    j->dx[i] = gap > 0 ? j->weight : gap < 0 ? -j->weight : (float)(gap * j->weight);
}

static void square(const distance_job *j, int64_t i, double *sum) {
    double gap = (double)j->x[i] - j->target[i];
    *sum += gap * gap;
    j->dx[i] = (float)(j->weight * 2 * gap);
}

static void chunk(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const distance_job *j = job;
    int64_t to = min64(j->n, (piece + 1) * CHUNK);
    double sums[SUMS] = {0};
    for (int64_t i = piece * CHUNK; i < to; i++) {
        (j->squared ? square : absolute)(j, i, &sums[i % SUMS]);
    }
    j->sums[piece] = total(sums);
}

int32_t T2L_KERNEL(distance)(const t2l_engine *e, float *loss, float *dx, const float *x, const float *target, int64_t n, float weight,
                             int32_t squared) {
    if (n < 0) {
        return T2L_BAD_SIZE;
    }
    distance_job job = {dx, x, target, n, weight, squared, NULL};
    double sum = 0;
    int32_t result = sum_chunks(e, chunk, &job, &job.sums, n, &sum);
    if (result == T2L_OK) {
        *loss = (float)(*loss + weight * sum);
    }
    return result;
}
