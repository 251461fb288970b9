/* Elementary functions of vectors, to about 1e-6 relative; a NaN stays. */
#ifndef T2L_FUNCTIONS_H
#define T2L_FUNCTIONS_H

#include "simd.h"

/* Nearest integer, for |x| < 2^22. */
INLINE vf round_(vf x) {
    const vf magic = splat(0x1.8p23f);
    return (x + magic) - magic;
}

INLINE vi round_to_int(vf x) {
    return as_int(x + splat(0x1.8p23f)) - splat_int(0x4b400000);
}

/* exp x = 2^n exp r, |r| <= ln(2)/2, by its series to r^7. Arguments are held within [-87, 88]. */
INLINE vf exp_(vf x) {
    x = min_(splat(88.0f), max_(splat(-87.0f), x));
    vf n = round_(x * splat(0x1.715476p0f));
    vf r = fma_(n, splat(-0x1.62e4p-1f), x); /* ln 2 in two parts: the first has 15 bits, so n times it is exact */
    r = fma_(n, splat(-0x1.7f7d1cp-20f), r);
    vf p = splat(1.0f / 5040);
    p = fma_(p, r, splat(1.0f / 720));
    p = fma_(p, r, splat(1.0f / 120));
    p = fma_(p, r, splat(1.0f / 24));
    p = fma_(p, r, splat(1.0f / 6));
    p = fma_(p, r, splat(0.5f));
    p = fma_(p, r * r, r) + splat(1);
    return p * as_float((round_to_int(n) + 127) << 23);
}

/* tanh x = 1 - 2 / (exp 2x + 1), with x's sign; near 0 its series. */
INLINE vf tanh_(vf x) {
    vi sign = as_int(x) & splat_int(INT32_MIN);
    vf z = as_float(as_int(x) & splat_int(INT32_MAX));
    vf far = splat(1) - splat(2) / (exp_(z + z) + splat(1));
    vf s = z * z;
    vf p = splat(62.0f / 2835);
    p = fma_(p, s, splat(-17.0f / 315));
    p = fma_(p, s, splat(2.0f / 15));
    p = fma_(p, s, splat(-1.0f / 3));
    vf near = fma_(p * s, z, z);
    return as_float(as_int(choose(as_int(z) < as_int(splat(0.3f)), near, far)) | sign);
}

/*
 * 1 + erf(x / sqrt 2). With z = |x| / sqrt 2: erfc z = exp(-z^2) P(t), t = 1 / (1 + z/2), where P, of degree 9, was fitted on
 * 0 <= z <= 10 for the least largest relative error (5e-8).
 */
INLINE vf one_plus_erf_scaled(vf x) {
    static const float P[] = {-6.01127613e-06f, 0.282221377f, 0.281098425f,  0.249793455f, 0.181250066f,
                              0.0170772728f,    0.221191511f, -0.441478103f, 0.26390329f,  -0.0550513342f};
    vf z = as_float(as_int(x) & splat_int(INT32_MAX)) * splat(0x1.6a09e6p-1f);
    vf half = x * splat(0.5f);
    vf square = half * x;
    vf rest = fma_(half, x, zero() - square); /* what rounding took from z^2 */
    vf t = splat(1) / fma_(z, splat(0.5f), splat(1));
    vf p = splat(P[9]);
    for (int i = 8; i >= 0; i--) {
        p = fma_(p, t, splat(P[i]));
    }
    vf erfc = exp_(zero() - square) * (splat(1) - rest) * p;
    return choose(as_int(x) < 0, erfc, splat(2) - erfc);
}

#endif
