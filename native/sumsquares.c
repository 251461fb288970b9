/* out = sum of x^2 */
#include "chunks.h"

typedef struct {
    const float *x;
    int64_t n;
    double *sums;
} sum_job;

static void chunk(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const sum_job *j = job;
    int64_t from = piece * CHUNK;
    j->sums[piece] = row_squares(j->x + from, min64(CHUNK, j->n - from), 0);
}

int32_t T2L_KERNEL(sum_squares)(const t2l_engine *e, float *out, const float *x, int64_t n) {
    if (n < 0) {
        return T2L_BAD_SIZE;
    }
    sum_job job = {x, n, NULL};
    double sum = 0;
    int32_t result = sum_chunks(e, chunk, &job, &job.sums, n, &sum);
    if (result == T2L_OK) {
        *out = (float)sum;
    }
    return result;
}
