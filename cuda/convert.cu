/*
 * To bf16, for the dense products of a library: activations, and quantised weights.
 *
 * Bytes: 4 + 2 an element of x; 0.56 to 1.06 + 2 an element of w. A thread takes eight elements, then the next a whole grid further on.
 */
#include "tiles.cuh"

/* out [n], x [n], n a multiple of 8; out at a multiple of 16 bytes */
KERNEL convert_f32(uint4 *out, const float *x, int64_t n) {
    const bool vector = vectors(x, n);
    for (int64_t k = (blockIdx.x * (int64_t)blockDim.x + threadIdx.x) * 8; k < n; k += (int64_t)gridDim.x * blockDim.x * 8) {
        float4 a = load4(x, k, n, vector);
        float4 b = load4(x, k + 4, n, vector);
        out[k / 8] = make_uint4(pack_bf16(a.x, a.y), pack_bf16(a.z, a.w), pack_bf16(b.x, b.y), pack_bf16(b.z, b.w));
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

/* y[i, :] += bias; y [n, out] */
KERNEL add_bias(float *y, int64_t n, int64_t out, const void *bias, int bias_type) {
    for (int64_t o = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; o < out; o += (int64_t)gridDim.x * blockDim.x) {
        float b = element(bias, bias_type, o);
        for (int64_t i = blockIdx.y; i < n; i += gridDim.y) {
            y[i * out + o] += b;
        }
    }
}
