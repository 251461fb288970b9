/* AVX-512 F, BW, VL, DQ, VNNI; also AVX2, FMA, F16C. */
#ifndef T2L_SIMD_AVX512_H
#define T2L_SIMD_AVX512_H

#include <immintrin.h>

enum { LANES = 16 };
typedef __m512 vf;
typedef int32_t vi __attribute__((vector_size(64)));
typedef __m128 vf4;

INLINE vf load(const float *p) {
    return _mm512_loadu_ps(p);
}

INLINE void store(float *p, vf x) {
    _mm512_storeu_ps(p, x);
}

INLINE vf load_part(const float *p, int64_t n) {
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

INLINE void store_part(float *p, vf x, int64_t n) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), x);
}

INLINE vf splat(float x) {
    return _mm512_set1_ps(x);
}

INLINE vf splat_f16(const void *p) {
    uint16_t bits;
    memcpy(&bits, p, 2);
    return _mm512_cvtph_ps(_mm256_set1_epi16((short)bits));
}

INLINE vf fma_(vf a, vf b, vf c) {
    return _mm512_fmadd_ps(a, b, c);
}

/* A NaN in x stays. */
INLINE vf max_(vf bound, vf x) {
    return _mm512_max_ps(bound, x);
}

INLINE vf min_(vf bound, vf x) {
    return _mm512_min_ps(bound, x);
}

INLINE vf load_f16(const void *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

INLINE vf load_bf16(const void *p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}

INLINE vi load_i8(const int8_t *p) {
    return (vi)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p));
}

INLINE vi load_u8(const uint8_t *p) {
    return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}

INLINE vf to_float(vi x) {
    return _mm512_cvtepi32_ps((__m512i)x);
}

INLINE vf4 fold4(vf x) {
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    return _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
}

INLINE vf4 sum4(vf a, vf b, vf c, vf d) {
    return _mm_hadd_ps(_mm_hadd_ps(fold4(a), fold4(b)), _mm_hadd_ps(fold4(c), fold4(d)));
}

/* x -> d * q + m for the 16 values of a 4-bit q: a table of its results. */
typedef struct {
    vf table;
} nibble_map;

INLINE nibble_map map_nibbles(vf d, vf m) {
    const vf ramp = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return (nibble_map){fma_(ramp, d, m)};
}

INLINE vf map_low(nibble_map map, vi bytes) {
    return _mm512_permutexvar_ps((__m512i)bytes, map.table);
}

INLINE vf map_high(nibble_map map, vi bytes) {
    return _mm512_permutexvar_ps(_mm512_srli_epi32((__m512i)bytes, 4), map.table);
}

#endif
