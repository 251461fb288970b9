/*
 * out = f(x), out = f(gate) * up, x = cap tanh(x / cap), and backwards.
 *
 * Bytes: 8 an element, 12 with up, 12 to 20 backwards. A thread takes one element, then the next a whole grid further on. The functions are the accurate
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

/* dgate = dy * up * f'(gate), dup = dy * f(gate); without up, dgate alone. dgate may be gate or dy, dup may be up. */
template <int F> INLINE void each_back(float *dgate, float *dup, const float *dy, const float *gate, const float *up, int64_t n) {
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        float g = gate[i], d = dy[i];
        if (up == nullptr) {
            dgate[i] = d * slope<F>(g);
        } else {
            float u = up[i];
            dgate[i] = d * u * slope<F>(g);
            dup[i] = d * apply<F>(g);
        }
    }
}

/* up and dup may be null */
KERNEL gated_backward(float *dgate, float *dup, const float *dy, const float *gate, const float *up, int64_t n, int f) {
    switch (f) {
    case T2L_SILU:
        return each_back<T2L_SILU>(dgate, dup, dy, gate, up, n);
    case T2L_GELU:
        return each_back<T2L_GELU>(dgate, dup, dy, gate, up, n);
    case T2L_GELU_TANH:
        return each_back<T2L_GELU_TANH>(dgate, dup, dy, gate, up, n);
    default:
        return each_back<T2L_RELU>(dgate, dup, dy, gate, up, n);
    }
}

/* dy *= 1 - (y / cap)^2, y the result */
KERNEL softcap_backward(float *dy, const float *y, int64_t n, float cap) {
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        float t = y[i] / cap;
        dy[i] *= 1 - t * t;
    }
}
