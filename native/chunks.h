/* Sums over a whole tensor, in double: of chunks of one size, added in order, so that they do not show the number of threads. */
#ifndef T2L_CHUNKS_H
#define T2L_CHUNKS_H

#include "sums.h"

#include <stdlib.h>

enum { CHUNK = 16 * 1024 };

/* Runs the task, which writes the sum of each piece, a chunk, to sums (the job has its address); total gets their sum. */
static int32_t sum_chunks(const t2l_engine *e, t2l_task *task, const void *job, double **sums, int64_t n, double *total) {
    int64_t chunks = ceil_div(n, CHUNK);
    *sums = malloc((size_t)(chunks + 1) * sizeof(double));
    if (*sums == NULL) {
        return T2L_NO_MEMORY;
    }
    t2l_parallel(e->pool, task, job, chunks, n);
    *total = 0;
    for (int64_t i = 0; i < chunks; i++) {
        *total += (*sums)[i];
    }
    free(*sums);
    return T2L_OK;
}

#endif
