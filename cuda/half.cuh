/* bf16 values as f32, four or eight at a time, and back. */
#pragma once

#include "ptx.cuh"

INLINE float low_bf16(uint32_t pair) {
    return __uint_as_float(pair << 16);
}

INLINE float high_bf16(uint32_t pair) {
    return __uint_as_float(pair & 0xffff0000);
}

/* Eight elements, and as bf16. */
struct eight {
    float v[8];

    __device__ __forceinline__ uint4 rounded() const {
        return make_uint4(pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7]));
    }
};

INLINE eight unpack8(uint4 v) {
    return {{low_bf16(v.x), high_bf16(v.x), low_bf16(v.y), high_bf16(v.y), low_bf16(v.z), high_bf16(v.z), low_bf16(v.w), high_bf16(v.w)}};
}

/* Whether rows of n elements may be read four at a time. */
INLINE bool vectors(const uint16_t *x, int64_t n) {
    return ((uintptr_t)x | (uintptr_t)(n * 2)) % 8 == 0;
}

INLINE float widen(float x) {
    return x;
}

INLINE float widen(uint16_t x) {
    return __uint_as_float((uint32_t)x << 16);
}

/* As load4 of ptx.cuh. */
INLINE float4 load4(const uint16_t *__restrict__ x, int64_t k, int64_t n, bool vector) {
    if (vector) {
        const uint2 v = k < n ? __ldg((const uint2 *)(x + k)) : make_uint2(0, 0);
        return make_float4(low_bf16(v.x), high_bf16(v.x), low_bf16(v.y), high_bf16(v.y));
    }
    return make_float4(k < n ? widen(x[k]) : 0, k + 1 < n ? widen(x[k + 1]) : 0, k + 2 < n ? widen(x[k + 2]) : 0, k + 3 < n ? widen(x[k + 3]) : 0);
}

/* Four that may be written, too; at a multiple of four elements. */
INLINE float4 fetch4(const float *x) {
    return *(const float4 *)x;
}

INLINE float4 fetch4(const uint16_t *x) {
    const uint2 v = *(const uint2 *)x;
    return make_float4(low_bf16(v.x), high_bf16(v.x), low_bf16(v.y), high_bf16(v.y));
}

INLINE void store(float *to, float v) {
    *to = v;
}

INLINE void store(uint16_t *to, float v) {
    *to = (uint16_t)pack_bf16(v, 0);
}

INLINE void store4(float *to, float4 v) {
    *(float4 *)to = v;
}

INLINE void store4(uint16_t *to, float4 v) {
    *(uint2 *)to = make_uint2(pack_bf16(v.x, v.y), pack_bf16(v.z, v.w));
}
