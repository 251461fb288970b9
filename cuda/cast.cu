/*
 * x = value, and out = x between f32, f16 and bf16, rounded to nearest even.
 *
 * Bytes: 4 an element; 2 + 4 or so. A thread takes eight elements, vectors where both sides lie so, then the next a whole grid further on.
 */
#include "ptx.cuh"

KERNEL fill(float *x, int64_t n, float value) {
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        x[i] = value;
    }
}

INLINE void put(void *out, int type, int64_t i, float v) {
    switch (type) {
    case T2L_F16:
        ((__half *)out)[i] = __float2half_rn(v);
        break;
    case T2L_BF16:
        ((__nv_bfloat16 *)out)[i] = __float2bfloat16_rn(v);
        break;
    default:
        ((float *)out)[i] = v;
    }
}

/* Activations to bf16, eight at once. */
INLINE uint4 rounded(const float *x) {
    const float4 a = *(const float4 *)x, b = *(const float4 *)(x + 4);
    return make_uint4(pack_bf16(a.x, a.y), pack_bf16(a.z, a.w), pack_bf16(b.x, b.y), pack_bf16(b.z, b.w));
}

/* And back. */
INLINE void unrounded(float *out, uint4 v) {
    *(float4 *)out = make_float4(__uint_as_float(v.x << 16), __uint_as_float(v.x & 0xffff0000), __uint_as_float(v.y << 16), __uint_as_float(v.y & 0xffff0000));
    *(float4 *)(out + 4) = make_float4(__uint_as_float(v.z << 16), __uint_as_float(v.z & 0xffff0000), __uint_as_float(v.w << 16), __uint_as_float(v.w & 0xffff0000));
}

KERNEL cast(void *out, int to, const void *x, int from, int64_t n) {
    const bool vector = ((uintptr_t)out | (uintptr_t)x) % 16 == 0;
    for (int64_t i = (blockIdx.x * (int64_t)blockDim.x + threadIdx.x) * 8; i < n; i += (int64_t)gridDim.x * blockDim.x * 8) {
        if (vector && i + 8 <= n && from == T2L_F32 && to == T2L_BF16) {
            ((uint4 *)out)[i / 8] = rounded((const float *)x + i);
        } else if (vector && i + 8 <= n && from == T2L_BF16 && to == T2L_F32) {
            unrounded((float *)out + i, ((const uint4 *)x)[i / 8]);
        } else {
            for (int64_t e = i; e < min(i + 8, n); e++) {
                put(out, to, e, element(x, from, e));
            }
        }
    }
}
