/* The library's entry points: each hands its call to the engine's instruction set. */
#include "engine.h"

#include <pthread.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

extern const t2l_vtable t2l_vtable_baseline;
#if defined(__x86_64__)
extern const t2l_vtable t2l_vtable_avx2, t2l_vtable_avx512;
static const t2l_vtable *const VTABLES[T2L_ISAS] = {&t2l_vtable_baseline, &t2l_vtable_avx2, &t2l_vtable_avx512};
#else
static const t2l_vtable *const VTABLES[T2L_ISAS] = {&t2l_vtable_baseline};
#endif

#if defined(__x86_64__)
/* The register states that the operating system saves (XCR0). */
static uint32_t saved_states(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int has(uint32_t value, uint32_t bits) {
    return (value & bits) == bits;
}

int32_t t2l_best_isa(void) {
    enum { FMA_OSXSAVE_AVX_F16C = 1 << 12 | 1 << 27 | 1 << 28 | 1 << 29, AVX2 = 1 << 5, VNNI = 1 << 11 };
    const uint32_t avx512_f_dq_bw_vl = UINT32_C(1) << 16 | UINT32_C(1) << 17 | UINT32_C(1) << 30 | UINT32_C(1) << 31;
    const uint32_t avx_states = 0x06, avx512_states = 0xe6;
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, FMA_OSXSAVE_AVX_F16C) || !has(saved_states(), avx_states)) {
        return T2L_BASELINE;
    }
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has(b, AVX2)) {
        return T2L_BASELINE;
    }
    return has(b, avx512_f_dq_bw_vl) && has(c, VNNI) && has(saved_states(), avx512_states) ? T2L_AVX512 : T2L_AVX2;
}
#else
int32_t t2l_best_isa(void) {
    return T2L_BASELINE;
}
#endif

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
