/*
 * Weights as f32 vectors. A block-quantised format (ggml's, as GGUF files hold it) has BLOCK elements in BYTES bytes and is
 * unpacked in PARTs; the values are exactly the dequantised ones, so unpacking in registers and unpacking into memory agree.
 */
#ifndef T2L_FORMATS_H
#define T2L_FORMATS_H

#include "simd.h"

/* What the parts of a block share. */
typedef struct {
    float d[16];
    float m[8];
} block_scales;

enum { Q4_0_BLOCK = 32, Q4_0_BYTES = 18, Q4_0_PART = 32 };
enum { Q4_1_BLOCK = 32, Q4_1_BYTES = 20, Q4_1_PART = 32 };
enum { Q8_0_BLOCK = 32, Q8_0_BYTES = 34, Q8_0_PART = 32 };
enum { Q4_K_BLOCK = 256, Q4_K_BYTES = 144, Q4_K_PART = 64 };
enum { Q6_K_BLOCK = 256, Q6_K_BYTES = 210, Q6_K_PART = 32 };
enum { MAX_PART = 64 };

/* 32 values of 16 bytes: the low halves first, then the high ones. */
INLINE void unpack_nibbles(const uint8_t *q, nibble_map map, vf *w) {
    for (int i = 0; i < 16 / LANES; i++) {
        vi bytes = load_u8(q + i * LANES);
        w[i] = map_low(map, bytes);
        w[16 / LANES + i] = map_high(map, bytes);
    }
}

/* {f16 d; u8 q[16]}: d * (q - 8) */
INLINE void Q4_0_scales(const uint8_t *b, block_scales *s) {
    (void)b, (void)s;
}

INLINE void Q4_0_unpack(const uint8_t *b, const block_scales *s, int part, vf *w) {
    (void)s, (void)part;
    vf d = splat_f16(b);
    unpack_nibbles(b + 2, map_nibbles(d, d * splat(-8)), w);
}

/* {f16 d; f16 m; u8 q[16]}: d * q + m */
INLINE void Q4_1_scales(const uint8_t *b, block_scales *s) {
    (void)b, (void)s;
}

INLINE void Q4_1_unpack(const uint8_t *b, const block_scales *s, int part, vf *w) {
    (void)s, (void)part;
    unpack_nibbles(b + 4, map_nibbles(splat_f16(b), splat_f16(b + 2)), w);
}

/* {f16 d; i8 q[32]}: d * q */
INLINE void Q8_0_scales(const uint8_t *b, block_scales *s) {
    (void)b, (void)s;
}

INLINE void Q8_0_unpack(const uint8_t *b, const block_scales *s, int part, vf *w) {
    (void)s, (void)part;
    vf d = splat_f16(b);
    for (int i = 0; i < 32 / LANES; i++) {
        w[i] = d * to_float(load_i8((const int8_t *)b + 2 + i * LANES));
    }
}

/*
 * {f16 d; f16 dmin; u8 scales[12]; u8 q[128]}: eight sub-blocks of 32, d * scale * q - dmin * min. Scales and mins have 6 bits:
 * those of sub-blocks 0-3 are the low bits of bytes 0-3 and 4-7; those of 4-7 are the halves of bytes 8-11, with the top two
 * bits of bytes 0-7 above them. 32 bytes of q hold two sub-blocks, the first in the low halves.
 */
INLINE void Q4_K_scales(const uint8_t *b, block_scales *s) {
    uint32_t low, high, rest;
    memcpy(&low, b + 4, 4);
    memcpy(&high, b + 8, 4);
    memcpy(&rest, b + 12, 4);
    uint32_t packed[4] = {low & 0x3f3f3f3f, (rest & 0x0f0f0f0f) | (low >> 6 & 0x03030303) << 4, high & 0x3f3f3f3f,
                          (rest >> 4 & 0x0f0f0f0f) | (high >> 6 & 0x03030303) << 4};
    uint8_t bytes[16];
    memcpy(bytes, packed, 16);
    vf d = splat_f16(b);
    vf dmin = zero() - splat_f16(b + 2);
    float all[16];
    for (int i = 0; i < 16 / LANES; i++) {
        store(all + i * LANES, to_float(load_u8(bytes + i * LANES)));
    }
    for (int i = 0; i < 8; i++) {
        s->d[i] = d[0] * all[i];
        s->m[i] = dmin[0] * all[8 + i];
    }
}

INLINE void Q4_K_unpack(const uint8_t *b, const block_scales *s, int part, vf *w) {
    const uint8_t *q = b + 16 + part * 32;
    nibble_map first = map_nibbles(splat(s->d[2 * part]), splat(s->m[2 * part]));
    nibble_map second = map_nibbles(splat(s->d[2 * part + 1]), splat(s->m[2 * part + 1]));
    for (int i = 0; i < 32 / LANES; i++) {
        vi bytes = load_u8(q + i * LANES);
        w[i] = map_low(first, bytes);
        w[32 / LANES + i] = map_high(second, bytes);
    }
}

/*
 * {u8 ql[128]; u8 qh[64]; i8 scales[16]; f16 d}: d * scale * (q - 32), a scale for each 16. Each half of a block, 128 elements,
 * has 64 bytes of ql (elements 0-63 in the low halves, 64-127 in the high ones) and 32 of qh (two bits for elements
 * i, 32 + i, 64 + i, 96 + i).
 */
INLINE void Q6_K_scales(const uint8_t *b, block_scales *s) {
    vf d = splat_f16(b + 208);
    for (int i = 0; i < 16 / LANES; i++) {
        store(s->d + i * LANES, d * to_float(load_i8((const int8_t *)b + 192 + i * LANES)));
    }
}

INLINE void Q6_K_unpack(const uint8_t *b, const block_scales *s, int part, vf *w) {
    int half = part / 4;
    int quarter = part % 4;
    const uint8_t *low = b + half * 64 + quarter % 2 * 32;
    const uint8_t *high = b + 128 + half * 32;
    for (int i = 0; i < 32 / LANES; i++) {
        vi four = (load_u8(low + i * LANES) >> (quarter / 2 * 4)) & 15;
        vi two = (load_u8(high + i * LANES) >> (quarter * 2)) & 3;
        vf d = splat(s->d[part * 2 + i * LANES / 16]);
        w[i] = d * to_float((four | two << 4) - 32);
    }
}

/* One element of a plain type, exact. */
INLINE float element(const void *p, int32_t type, int64_t i) {
    switch (type) {
    case T2L_F16:
        return load_f16_part((const uint16_t *)p + i, 1)[0];
    case T2L_BF16:
        return load_bf16_part((const uint16_t *)p + i, 1)[0];
    default:
        return load_part((const float *)p + i, 1)[0];
    }
}

/* LANES elements of a plain type, from the i-th on, or n < LANES of them and zeros. */
INLINE vf elements(const void *p, int32_t type, int64_t i) {
    switch (type) {
    case T2L_F16:
        return load_f16((const uint16_t *)p + i);
    case T2L_BF16:
        return load_bf16((const uint16_t *)p + i);
    default:
        return load((const float *)p + i);
    }
}

INLINE vf elements_part(const void *p, int32_t type, int64_t i, int64_t n) {
    switch (type) {
    case T2L_F16:
        return load_f16_part((const uint16_t *)p + i, n);
    case T2L_BF16:
        return load_bf16_part((const uint16_t *)p + i, n);
    default:
        return load_part((const float *)p + i, n);
    }
}

/* n elements, n <= LANES; the other lanes are 0. */
INLINE vf elements_some(const void *p, int32_t type, int64_t i, int64_t n) {
    return n >= LANES ? elements(p, type, i) : elements_part(p, type, i, n);
}

INLINE int is_plain(int32_t type) {
    return type == T2L_F32 || type == T2L_F16 || type == T2L_BF16;
}

/* Elements and bytes of a block. */
INLINE int64_t block_size(int32_t type) {
    return is_plain(type) ? 1 : type == T2L_Q4_K || type == T2L_Q6_K ? 256 : 32;
}

INLINE int64_t row_bytes(int32_t type, int64_t n) {
    static const int64_t BYTES[T2L_TYPES] = {4, 2, 2, Q4_0_BYTES, Q4_1_BYTES, Q8_0_BYTES, Q4_K_BYTES, Q6_K_BYTES};
    return n / block_size(type) * BYTES[type];
}

#define UNPACK_BLOCKS(F)                                                          \
    for (int64_t b = 0; b < n / F##_BLOCK; b++) {                                 \
        const uint8_t *block = row + (from / F##_BLOCK + b) * F##_BYTES;          \
        block_scales scales;                                                      \
        F##_scales(block, &scales);                                               \
        for (int part = 0; part < F##_BLOCK / F##_PART; part++) {                 \
            vf w[F##_PART / LANES];                                               \
            F##_unpack(block, &scales, part, w);                                  \
            for (int i = 0; i < F##_PART / LANES; i++) {                          \
                store(out + b * F##_BLOCK + part * F##_PART + i * LANES, w[i]);   \
            }                                                                     \
        }                                                                         \
    }                                                                             \
    break

/* n elements of a row, from a block's start on, as f32. */
static __attribute__((unused)) void unpack_row(float *out, const uint8_t *row, int32_t type, int64_t from, int64_t n) {
    switch (type) {
    case T2L_Q4_0:
        UNPACK_BLOCKS(Q4_0);
    case T2L_Q4_1:
        UNPACK_BLOCKS(Q4_1);
    case T2L_Q8_0:
        UNPACK_BLOCKS(Q8_0);
    case T2L_Q4_K:
        UNPACK_BLOCKS(Q4_K);
    case T2L_Q6_K:
        UNPACK_BLOCKS(Q6_K);
    default: {
        int64_t i = 0;
        for (; i + LANES <= n; i += LANES) {
            store(out + i, elements(row, type, from + i));
        }
        if (i < n) {
            store_part(out + i, elements_part(row, type, from + i, n - i), n - i);
        }
    }
    }
}

#endif
