/*
 * out = f(x), out = f(gate) * up, x = cap tanh(x / cap)
 *
 * Bytes: 8 an element, 12 with up. A thread takes one element, then the next a whole grid further on. The functions are the accurate
 * ones: to about 2 units in the last place.
 */
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

template <int F> INLINE void each(float *out, const float *gate, const float *up, int64_t n) {
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        float v = apply<F>(gate[i]);
        out[i] = up == nullptr ? v : v * up[i];
    }
}

/* up may be null */
KERNEL gated(float *out, const float *gate, const float *up, int64_t n, int f) {
    switch (f) {
    case T2L_SILU:
        return each<T2L_SILU>(out, gate, up, n);
    case T2L_GELU:
        return each<T2L_GELU>(out, gate, up, n);
    case T2L_GELU_TANH:
        return each<T2L_GELU_TANH>(out, gate, up, n);
    default:
        return each<T2L_RELU>(out, gate, up, n);
    }
}

KERNEL softcap(float *x, int64_t n, float cap) {
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        x[i] = cap * tanhf(x[i] / cap);
    }
}
