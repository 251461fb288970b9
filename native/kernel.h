/*
 * Included by every kernel source. The build compiles each once per instruction set, with T2L_SET defined as its name;
 * T2L_KERNEL(x) is x of that set.
 */
#ifndef T2L_KERNEL_H
#define T2L_KERNEL_H

#include "engine.h"

#include <stddef.h>

#define T2L_PASTE2(a, b) a##_##b
#define T2L_PASTE(a, b) T2L_PASTE2(a, b)
#define T2L_KERNEL(name) T2L_PASTE(t2l_##name, T2L_SET)

#define T2L_DECLARE_KERNEL(name, parameters, arguments) int32_t T2L_KERNEL(name) parameters;
T2L_KERNELS(T2L_DECLARE_KERNEL)
#undef T2L_DECLARE_KERNEL

#define INLINE static inline __attribute__((always_inline, unused))

INLINE int64_t min64(int64_t a, int64_t b) {
    return a < b ? a : b;
}

INLINE int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* Items of a job, spread over pieces of equal size. */
typedef struct {
    int64_t items, size, pieces, work;
} split;

/* About four pieces a thread, in whole multiples of unit items; one piece if the work (as in t2l_parallel) is not worth sharing. */
INLINE split split_items(const t2l_engine *e, int64_t items, int64_t unit, int64_t work) {
    int64_t wanted = work < T2L_WORTH_SHARING || e->threads == 1 ? 1 : 4 * (int64_t)e->threads;
    int64_t size = ceil_div(ceil_div(items, wanted), unit) * unit;
    return (split){items, size, size > 0 ? ceil_div(items, size) : 0, work};
}

INLINE int64_t first_item(const split *s, int64_t piece) {
    return piece * s->size;
}

INLINE int64_t last_item(const split *s, int64_t piece) {
    return min64(s->items, (piece + 1) * s->size);
}

/* Runs a task that uses no scratch; one piece runs on the calling thread without queueing. */
INLINE void run_split(const t2l_engine *e, const split *s, t2l_task *task, const void *job) {
    if (s->pieces == 1) {
        task(job, 0, NULL);
    } else if (s->pieces > 1) {
        t2l_parallel(e->pool, task, job, s->pieces, s->work);
    }
}

#endif
