/*
 * out = f(x), out = f(gate) * up, x = cap tanh(x / cap)
 *
 * Bytes: 8 an element, 12 with up. A thread takes one element, then the next a whole grid further on. The functions are the accurate
 * ones: to about 2 units in the last place.
 */
#include "activation.cuh"

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
