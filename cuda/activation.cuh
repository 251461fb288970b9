/* The activation functions, in the order of dev.t2l.backend.Activation: accurate to about 2 units in the last place. */
#pragma once

#include "common.cuh"

template <int F> INLINE float apply(float x) {
    if (F == T2L_SILU) {
        return x / (1 + expf(-x));
    }
    if (F == T2L_GELU) {
        return 0.5f * x * erfcf(x * -0.707106781f); /* 1 + erf(z) = erfc(-z), exact where it is small */
    }
    if (F == T2L_GELU_TANH) {
        float u = 0.797884561f * (x + 0.044715f * x * x * x);
        return x / (1 + expf(-2 * u)); /* x/2 (1 + tanh u) */
    }
    return x < 0 ? 0 : x;
}

/* f'(x) */
template <int F> INLINE float slope(float x) {
    if (F == T2L_SILU) {
        float s = 1 / (1 + expf(-x));
        return s * (1 + x * (1 - s));
    }
    if (F == T2L_GELU) {
        return 0.5f * erfcf(x * -0.707106781f) + x * expf(-0.5f * x * x) * 0.398942280f;
    }
    if (F == T2L_GELU_TANH) {
        float s = 1 / (1 + expf(-1.595769122f * (x + 0.044715f * x * x * x))); /* (1 + tanh u) / 2, also where tanh u is nearly -1 */
        return s + 2 * x * s * (1 - s) * 0.797884561f * (1 + 0.134145f * x * x);
    }
    return x > 0 ? 1 : 0;
}

INLINE float activate(int f, float x) {
    switch (f) {
    case T2L_SILU:
        return apply<T2L_SILU>(x);
    case T2L_GELU:
        return apply<T2L_GELU>(x);
    case T2L_GELU_TANH:
        return apply<T2L_GELU_TANH>(x);
    default:
        return apply<T2L_RELU>(x);
    }
}
