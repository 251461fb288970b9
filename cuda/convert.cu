/*
 * To bf16, for the dense products of a library: activations, with what comes before them, and quantised weights.
 *
 * Bytes: 4 + 2 an element of x (a norm's second reading hits the cache); 4 + 2 an element of a gated pair; 0.56 to 1.06 + 2 an element
 * of w. A thread takes eight elements, 16 or 32 bytes of each, then the next a whole grid further on; a norm's block takes a row.
 */
#include "activation.cuh"
#include "formats.cuh"
#include "half.cuh"
#include "tiles.cuh"

INLINE eight load8(const float *x, int64_t k, int64_t n, bool vector) {
    float4 a = load4(x, k, n, vector);
    float4 b = load4(x, k + 4, n, vector);
    return {{a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}};
}

/* out [n], x [n], n a multiple of 8; out at a multiple of 16 bytes */
KERNEL convert_f32(uint4 *out, const float *x, int64_t n) {
    const bool vector = vectors(x, n);
    for (int64_t k = (blockIdx.x * (int64_t)blockDim.x + threadIdx.x) * 8; k < n; k += (int64_t)gridDim.x * blockDim.x * 8) {
        out[k / 8] = load8(x, k, n, vector).rounded();
    }
}

/* rms_norm (rmsnorm.cu), a row of d a block, d a multiple of 8. */
KERNEL convert_norm(uint4 *out, const float *x, int64_t d, const uint8_t *weight, int type, float eps, float offset) {
    x += blockIdx.x * d;
    out += blockIdx.x * (d / 8);
    const bool vector = vectors(x, d);
    double squares = 0;
    for (int64_t k = threadIdx.x * 8; k < d; k += blockDim.x * 8) {
        eight e = load8(x, k, d, vector);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            squares += (double)e.v[i] * e.v[i];
        }
    }
    const float factor = (float)(1 / sqrt(block_sum(squares) / (double)d + eps));
    const bool plain = type == T2L_F32 && vectors((const float *)weight, d);
    const bool brief = type == T2L_BF16 && (uintptr_t)weight % 16 == 0;
    for (int64_t k = threadIdx.x * 8; k < d; k += blockDim.x * 8) {
        eight w;
        if (plain) {
            w = load8((const float *)weight, k, d, true);
        } else if (brief) {
            w = unpack8(__ldg((const uint4 *)(weight + 2 * k)));
        } else {
            for (int i = 0; i < 8; i++) {
                w.v[i] = row_element(weight, type, k + i);
            }
        }
        eight e = load8(x, k, d, vector);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            e.v[i] = e.v[i] * factor * (w.v[i] + offset);
        }
        out[k / 8] = e.rounded();
    }
}

template <int F> INLINE void gated_each(uint4 *out, const uint4 *gate, const uint4 *up, int64_t n) {
    for (int64_t k = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; k < n / 8; k += (int64_t)gridDim.x * blockDim.x) {
        eight g = unpack8(gate[k]);
        eight u = unpack8(up[k]);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            g.v[i] = apply<F>(g.v[i]) * u.v[i];
        }
        out[k] = g.rounded();
    }
}

/* out = f(gate) * up of bf16 values, n a multiple of 8, all at multiples of 16 bytes; out may be gate */
KERNEL convert_gated(uint4 *out, const uint4 *gate, const uint4 *up, int64_t n, int f) {
    switch (f) {
    case T2L_SILU:
        return gated_each<T2L_SILU>(out, gate, up, n);
    case T2L_GELU:
        return gated_each<T2L_GELU>(out, gate, up, n);
    case T2L_GELU_TANH:
        return gated_each<T2L_GELU_TANH>(out, gate, up, n);
    default:
        return gated_each<T2L_RELU>(out, gate, up, n);
    }
}

/* out [n], w [n] in whole blocks */
template <int TYPE> INLINE void convert_body(uint4 *out, const uint8_t *w, int64_t n) {
    for (int64_t k = (blockIdx.x * (int64_t)blockDim.x + threadIdx.x) * 8; k < n; k += (int64_t)gridDim.x * blockDim.x * 8) {
        raw_weights raw = {};
        uint32_t high[4], low[4];
        eights<TYPE>::fetch(raw, w, k);
        eights<TYPE>::unpack(raw, k, high, low);
        out[k / 8] = make_uint4(high[0], high[1], high[2], high[3]);
    }
}

#define CONVERT(name, TYPE)                                   \
    KERNEL name(uint4 *out, const uint8_t *w, int64_t n) {    \
        convert_body<TYPE>(out, w, n);                        \
    }

CONVERT(convert_q4_0, T2L_Q4_0)
CONVERT(convert_q4_1, T2L_Q4_1)
CONVERT(convert_q8_0, T2L_Q8_0)
CONVERT(convert_q4_k, T2L_Q4_K)
CONVERT(convert_q6_k, T2L_Q6_K)
