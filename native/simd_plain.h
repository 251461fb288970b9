/* Plain C with the compiler's vectors of four floats: SSE2 on x86-64, NEON on AArch64. A multiply-add rounds twice. */
#ifndef T2L_SIMD_PLAIN_H
#define T2L_SIMD_PLAIN_H

enum { LANES = 4 };
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef vf vf4;

INLINE vf load(const float *p) {
    vf x;
    memcpy(&x, p, sizeof x);
    return x;
}

INLINE void store(float *p, vf x) {
    memcpy(p, &x, sizeof x);
}

INLINE vf load_part(const float *p, int64_t n) {
    vf x = {0};
    memcpy(&x, p, (size_t)n * 4);
    return x;
}

INLINE void store_part(float *p, vf x, int64_t n) {
    memcpy(p, &x, (size_t)n * 4);
}

INLINE vf splat(float x) {
    return (vf){x, x, x, x};
}

INLINE vf fma_(vf a, vf b, vf c) {
    return a * b + c;
}

/* A NaN in x stays. */
INLINE vf max_(vf bound, vf x) {
    vi mask = (vi)(x < bound);
    return (vf)((mask & (vi)bound) | (~mask & (vi)x));
}

INLINE vf min_(vf bound, vf x) {
    vi mask = (vi)(x > bound);
    return (vf)((mask & (vi)bound) | (~mask & (vi)x));
}

/* IEEE half to single: shift the exponent into place, scale by 2^112; infinities and NaNs get the largest exponent back. */
INLINE vf half_bits_to_float(vi h) {
    vi magnitude = (h & 0x7fff) << 13;
    vf scaled = (vf)magnitude * 0x1p112f;
    vi special = (vi)(magnitude >= (0x7c00 << 13)) & (0xff << 23);
    return (vf)((vi)scaled | special | (h & 0x8000) << 16);
}

INLINE vf splat_f16(const void *p) {
    uint16_t bits;
    memcpy(&bits, p, 2);
    int32_t h = bits;
    return half_bits_to_float((vi){h, h, h, h});
}

INLINE vf load_f16(const void *p) {
    uint16_t h[4];
    memcpy(h, p, 8);
    return half_bits_to_float((vi){h[0], h[1], h[2], h[3]});
}

INLINE vf load_bf16(const void *p) {
    uint16_t h[4];
    memcpy(h, p, 8);
    return (vf)((vi){h[0], h[1], h[2], h[3]} << 16);
}

INLINE vi load_i8(const int8_t *p) {
    return (vi){p[0], p[1], p[2], p[3]};
}

INLINE vi load_u8(const uint8_t *p) {
    return (vi){p[0], p[1], p[2], p[3]};
}

INLINE vf to_float(vi x) {
    return __builtin_convertvector(x, vf);
}

INLINE vf4 fold4(vf x) {
    return x;
}

INLINE vf4 sum4(vf a, vf b, vf c, vf d) {
    return (vf4){(a[0] + a[1]) + (a[2] + a[3]), (b[0] + b[1]) + (b[2] + b[3]), (c[0] + c[1]) + (c[2] + c[3]),
                 (d[0] + d[1]) + (d[2] + d[3])};
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
    return fma_(to_float(bytes >> 4), map.d, map.m);
}

#endif
