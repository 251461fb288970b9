/* The library's entry points: each hands its call to the engine's instruction set. */
#include "engine.h"

#include <pthread.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <cpuid.h>

/* Asked directly: not every compiler's __builtin_cpu_supports knows it. */
static int has_f16c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

extern const t2l_vtable t2l_vtable_baseline;
#if defined(__x86_64__)
extern const t2l_vtable t2l_vtable_avx2, t2l_vtable_avx512;
static const t2l_vtable *const VTABLES[T2L_ISAS] = {&t2l_vtable_baseline, &t2l_vtable_avx2, &t2l_vtable_avx512};
#else
static const t2l_vtable *const VTABLES[T2L_ISAS] = {&t2l_vtable_baseline};
#endif

int32_t t2l_best_isa(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c()) {
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni")) {
            return T2L_AVX512;
        }
        return T2L_AVX2;
    }
#endif
    return T2L_BASELINE;
}

typedef struct opened {
    t2l_engine engine;
    struct opened *next;
} opened;

static const t2l_engine *new_engine(opened **all, int32_t isa, int32_t threads) {
    t2l_pool *pool = NULL;
    for (opened *o = *all; o != NULL; o = o->next) {
        if (o->engine.threads == threads) {
            if (o->engine.isa == isa) {
                return &o->engine;
            }
            pool = o->engine.pool;
        }
    }
    opened *fresh = malloc(sizeof *fresh);
    if (fresh == NULL) {
        return NULL;
    }
    if (pool == NULL && (pool = t2l_pool_new(threads)) == NULL) {
        free(fresh);
        return NULL;
    }
    *fresh = (opened){{VTABLES[isa], pool, isa, threads}, *all};
    *all = fresh;
    return &fresh->engine;
}

const t2l_engine *t2l_open(int32_t isa, int32_t threads) {
    static opened *all;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    if (isa < 0 || isa > t2l_best_isa() || threads < 1) {
        return NULL;
    }
    pthread_mutex_lock(&lock);
    const t2l_engine *engine = new_engine(&all, isa, threads);
    pthread_mutex_unlock(&lock);
    return engine;
}

#define T2L_ENTRY(name, parameters, arguments)   \
    int32_t t2l_##name parameters {              \
        return e->kernels->name arguments;       \
    }
T2L_KERNELS(T2L_ENTRY)
