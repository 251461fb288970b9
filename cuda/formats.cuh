/*
 * Elements of the formats that kernels read as they lie in the file, one at a time: right for rows that are read once (gather).
 * The products unpack whole blocks instead. Values are exactly those of dev.t2l.tensor.Elements, in the layouts of ggml:
 *
 *   Q4_0  32 in  18 bytes  {f16 d; u8 q[16]}                           d * (q - 8)
 *   Q4_1  32 in  20        {f16 d; f16 m; u8 q[16]}                    d * q + m
 *   Q8_0  32 in  34        {f16 d; i8 q[32]}                           d * q
 *   Q4_K 256 in 144        {f16 d; f16 dmin; u8 scales[12]; u8 q[128]} d * scale * q - dmin * min, for each 32
 *   Q6_K 256 in 210        {u8 ql[128]; u8 qh[64]; i8 scales[16]; f16 d}  d * scale * (q - 32), a scale for each 16
 *
 * In blocks of 32, the low halves of q hold elements 0-15, the high ones 16-31.
 */
#pragma once

#include "common.cuh"

INLINE int block_elements(int type) {
    return type <= T2L_BF16 ? 1 : type <= T2L_Q8_0 ? 32 : 256;
}

INLINE int block_bytes(int type) {
    switch (type) {
    case T2L_F32:
        return 4;
    case T2L_F16:
    case T2L_BF16:
        return 2;
    case T2L_Q4_0:
        return 18;
    case T2L_Q4_1:
        return 20;
    case T2L_Q8_0:
        return 34;
    case T2L_Q4_K:
        return 144;
    default:
        return 210;
    }
}

/* Half i / 16 of byte i % 16 */
INLINE int nibble32(const uint8_t *q, int i) {
    return q[i % 16] >> (i / 16 * 4) & 15;
}

/*
 * Scales and mins of sub-block s of eight have 6 bits: those of 0-3 are the low bits of bytes 0-3 and 4-7; those of 4-7 are the
 * halves of bytes 8-11, with the top two bits of bytes 0-7 above them. 32 bytes of q hold two sub-blocks, the first in the low halves.
 */
INLINE float q4_k(const uint8_t *b, int i) {
    const uint8_t *packed = b + 4;
    int s = i / 32;
    int scale = s < 4 ? packed[s] & 63 : (packed[s + 4] & 15) | packed[s - 4] >> 6 << 4;
    int min = s < 4 ? packed[s + 4] & 63 : packed[s + 4] >> 4 | packed[s] >> 6 << 4;
    int q = b[16 + s / 2 * 32 + i % 32] >> (s % 2 * 4) & 15;
    float d = __fmul_rn(load_half(b), (float)scale);
    float m = __fmul_rn(load_half(b + 2), (float)min);
    return __fmul_rn(d, (float)q) - m;
}

/* Each half of a block, 128 elements, has 64 bytes of ql (elements 0-63 in the low halves, 64-127 in the high ones) and 32 of qh
 * (two bits for elements i, 32 + i, 64 + i, 96 + i). */
INLINE float q6_k(const uint8_t *b, int i) {
    int half = i / 128;
    int in_half = i % 128;
    int four = b[half * 64 + in_half % 64] >> (in_half / 64 * 4) & 15;
    int two = b[128 + half * 32 + in_half % 32] >> (in_half / 32 * 2) & 3;
    float d = __fmul_rn(load_half(b + 208), (float)(int8_t)b[192 + i / 16]);
    return __fmul_rn(d, (float)((four | two << 4) - 32));
}

/* Element i of a row of any type. */
INLINE float row_element(const uint8_t *row, int type, int64_t i) {
    if (type <= T2L_BF16) {
        return element(row, type, i);
    }
    int size = block_elements(type);
    const uint8_t *b = row + i / size * block_bytes(type);
    int at = (int)(i % size);
    switch (type) {
    case T2L_Q4_0:
        return __fmul_rn(load_half(b), (float)(nibble32(b + 2, at) - 8));
    case T2L_Q4_1:
        return __fmul_rn(load_half(b), (float)nibble32(b + 4, at)) + load_half(b + 2);
    case T2L_Q8_0:
        return __fmul_rn(load_half(b), (float)(int8_t)b[2 + at]);
    case T2L_Q4_K:
        return q4_k(b, at);
    default:
        return q6_k(b, at);
    }
}
