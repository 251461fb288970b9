/* AVX2, FMA, F16C. */
#ifndef T2L_SIMD_AVX2_H
#define T2L_SIMD_AVX2_H

#include <immintrin.h>

enum { LANES = 8 };
typedef __m256 vf;
typedef int32_t vi __attribute__((vector_size(32)));
typedef __m128 vf4;

INLINE __m256i first_lanes(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INLINE vf load(const float *p) {
    return _mm256_loadu_ps(p);
}

INLINE void store(float *p, vf x) {
    _mm256_storeu_ps(p, x);
}

INLINE vf load_part(const float *p, int64_t n) {
    return _mm256_maskload_ps(p, first_lanes(n));
}

INLINE void store_part(float *p, vf x, int64_t n) {
    _mm256_maskstore_ps(p, first_lanes(n), x);
}

INLINE vf splat(float x) {
    return _mm256_set1_ps(x);
}

INLINE vf splat_f16(const void *p) {
    uint16_t bits;
    memcpy(&bits, p, 2);
    return _mm256_cvtph_ps(_mm_set1_epi16((short)bits));
}

INLINE vf fma_(vf a, vf b, vf c) {
    return _mm256_fmadd_ps(a, b, c);
}

/* A NaN in x stays. */
INLINE vf max_(vf bound, vf x) {
    return _mm256_max_ps(bound, x);
}

INLINE vf min_(vf bound, vf x) {
    return _mm256_min_ps(bound, x);
}

INLINE vf load_f16(const void *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

INLINE vf load_bf16(const void *p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}

INLINE vi load_i8(const int8_t *p) {
    return (vi)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p));
}

INLINE vi load_u8(const uint8_t *p) {
    return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}

INLINE vf to_float(vi x) {
    return _mm256_cvtepi32_ps((__m256i)x);
}

INLINE vf4 fold4(vf x) {
    return _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
}

INLINE vf4 sum4(vf a, vf b, vf c, vf d) {
    return _mm_hadd_ps(_mm_hadd_ps(fold4(a), fold4(b)), _mm_hadd_ps(fold4(c), fold4(d)));
}

/* x -> d * q + m for a 4-bit q. */
typedef struct {
    vf d, m;
} nibble_map;

INLINE nibble_map map_nibbles(vf d, vf m) {
    return (nibble_map){d, m};
}

INLINE vf map_low(nibble_map map, vi bytes) {
    return fma_(to_float(bytes & 15), map.d, map.m);
}

INLINE vf map_high(nibble_map map, vi bytes) {
    return fma_(to_float((vi)_mm256_srli_epi32((__m256i)bytes, 4)), map.d, map.m);
}

#endif
