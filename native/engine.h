/* What kernels see of an engine: how to spread work over threads. */
#ifndef T2L_ENGINE_H
#define T2L_ENGINE_H

#include "t2l.h"

typedef struct t2l_pool t2l_pool;

#define T2L_FIELD(name, parameters, arguments) int32_t(*name) parameters;
typedef struct {
    T2L_KERNELS(T2L_FIELD)
} t2l_vtable;
#undef T2L_FIELD

struct t2l_engine {
    const t2l_vtable *kernels;
    t2l_pool *pool;
    int32_t isa;
    int32_t threads;
};

/* Scratch bytes of each thread, aligned to 64. */
enum { T2L_SCRATCH_BYTES = 256 * 1024 };

/* One piece of a job; scratch is the running thread's own. */
typedef void t2l_task(const void *job, int64_t piece, void *scratch);

/* Makes a pool of so many threads, the caller of t2l_parallel included. They start with the first job. Null without memory. */
t2l_pool *t2l_pool_new(int32_t threads);

/* Multiply-adds, or comparable work, from which on other threads are called. */
enum { T2L_WORTH_SHARING = 48 * 1024 };

/* Runs pieces 0 .. pieces-1 of a job, each once, on any thread and in any order; returns when all are done. The caller takes
 * part. Callers queue: each job has the pool and its scratch to itself. */
void t2l_parallel(t2l_pool *pool, t2l_task *task, const void *job, int64_t pieces, int64_t work);

#endif
