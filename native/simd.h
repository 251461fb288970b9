/*
 * One vector of floats per instruction set: LANES f32, with the compiler's own + - * / on it, and what those lack.
 * Sums over lanes have one order: halves are folded until four lanes remain, then (0 + 1) + (2 + 3).
 */
#ifndef T2L_SIMD_H
#define T2L_SIMD_H

#include "kernel.h"

#include <string.h>

#if defined(__AVX512F__)
#include "simd_avx512.h"
#elif defined(__AVX2__)
#include "simd_avx2.h"
#else
#include "simd_plain.h"
#endif

INLINE vi as_int(vf x) {
    return (vi)x;
}

INLINE vf as_float(vi x) {
    return (vf)x;
}

INLINE vf zero(void) {
    return splat(0);
}

INLINE float sum(vf x) {
    vf4 s = fold4(x);
    return (s[0] + s[1]) + (s[2] + s[3]);
}

/* mask ? a : b, with a mask of all ones or zeros a lane. */
INLINE vf choose(vi mask, vf a, vf b) {
    return as_float((mask & as_int(a)) | (~mask & as_int(b)));
}

INLINE vi splat_int(int32_t x) {
    return (vi){0} + x;
}

/* n floats, n <= LANES; the other lanes are 0. */
INLINE vf load_some(const float *p, int64_t n) {
    return n >= LANES ? load(p) : load_part(p, n);
}

INLINE void store_some(float *p, vf x, int64_t n) {
    if (n >= LANES) {
        store(p, x);
    } else {
        store_part(p, x, n);
    }
}

/* n halves, n < LANES; the other lanes are 0. */
INLINE vf load_f16_part(const void *p, int64_t n) {
    uint16_t whole[LANES] = {0};
    memcpy(whole, p, (size_t)n * 2);
    return load_f16(whole);
}

INLINE vf load_bf16_part(const void *p, int64_t n) {
    uint16_t whole[LANES] = {0};
    memcpy(whole, p, (size_t)n * 2);
    return load_bf16(whole);
}

#endif
