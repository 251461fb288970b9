/*
 * Weights for the tensor cores: how each format's staged bytes become the a operand of mma, exactly.
 *
 * Rows of 16-bit weights start at multiples of 16 bytes, Q4_1 and Q4_K at multiples of 4 (as blocks do), others at even addresses.
 *
 * A row is staged in shared memory by chunks. Of each 32 elements of a chunk, a lane (t = lane % 4) unpacks eight into four registers: two
 * for the first mma, two for the second. Which eight, and so the order of the elements within a 32, is the format's: a plain one has
 * 8t .. 8t+7, a quantised one 4t .. 4t+3 and 16+4t .. 16+4t+3, each four taken as +0, +2, +1, +3, the way that a mask leaves them.
 * x is laid out to match.
 *
 * Quantised values stay the integers that they are: as the bits of an f16, an integer q below 1024 is the subnormal number q 2^-24, which the
 * tensor cores multiply as exactly as any other. So a mask is all it takes, and where that leaves 16 q, the sixteenth is the scale's, or x's.
 * What a format subtracts from q is subtracted as so many sums of x, which the sums of the product start from.
 */
#pragma once

#include "ptx.cuh"

/* Words from shared memory. */
INLINE uint32_t word(const uint8_t *p) {
    return *(const uint32_t *)p;
}

/* The same on an even address. */
INLINE uint32_t word2(const uint8_t *p) {
    return *(const uint16_t *)p | (uint32_t)*(const uint16_t *)(p + 2) << 16;
}

INLINE float half_at(const uint8_t *p) {
    return __half2float(__ushort_as_half(*(const unsigned short *)p));
}

/*
 * What a format says of itself:
 *   CHUNK     elements a stage, a multiple of the block; BYTES of them in a row
 *   PIECES    16-byte pieces that cover a chunk at any address its rows can have
 *   PITCH     pieces from one staged row to the next: so that eight rows lie in different banks
 *   PLAIN     16-bit weights; HALF: x as f16, else as bf16
 *   GROUP     32s that are loaded together, by WORDS words a row and lane; UNROLL groups at a time, as registers allow
 *   SUMS      sums of x that each 32 needs; ZERO: what is subtracted from each q; MINS: minimums, which each element has besides
 *   PREPARED  scales are unpacked ahead, two for each 32 and row: prepare makes those of four 32s of a staged row; else scale reads one
 *   place     where piece j of a row lies; load, unpack: a lane's share of group j, and of its 32 number i
 */
template <int TYPE> struct format;

struct plain_format {
    enum { CHUNK = 64, BYTES = 128, PIECES = 8, PITCH = 8, PLAIN = 1, GROUP = 1, WORDS = 4, SUMS = 0, ZERO = 0, MINS = 0, UNROLL = 2, PREPARED = 0 };
    /* Odd rows have the halves of their 128 bytes swapped: row g and row g + 1 are read together. */
    static __device__ __forceinline__ int place(int row, int offset) {
        return offset ^ row % 2 * 64;
    }
    static __device__ __forceinline__ void load(uint32_t *q, const uint8_t *row, int g, int j, int t) {
        uint4 v = *(const uint4 *)(row + place(g, j * 64) + t * 16);
        q[0] = v.x;
        q[1] = v.y;
        q[2] = v.z;
        q[3] = v.w;
    }
    static __device__ __forceinline__ void unpack(const uint32_t *q, int, uint32_t r[4]) {
        r[0] = q[0];
        r[1] = q[1];
        r[2] = q[2];
        r[3] = q[3];
    }
    static __device__ __forceinline__ float2 scale(const uint8_t *, int) {
        return make_float2(1, 0);
    }
    static __device__ __forceinline__ void prepare(const uint8_t *, int, float2 *) {
    }
};

template <> struct format<T2L_BF16> : plain_format {
    enum { HALF = 0 };
};

template <> struct format<T2L_F16> : plain_format {
    enum { HALF = 1 };
};

struct block_format {
    enum { PLAIN = 0, HALF = 1 };
    static __device__ __forceinline__ int place(int, int offset) {
        return offset;
    }
    static __device__ __forceinline__ float2 scale(const uint8_t *, int) {
        return make_float2(1, 0);
    }
    static __device__ __forceinline__ void prepare(const uint8_t *, int, float2 *) {
    }
};

/* Low and high halves of four bytes. */
INLINE void nibbles(uint32_t q, uint32_t r[4]) {
    r[0] = q & 0x000f000f;
    r[1] = q >> 8 & 0x000f000f;
    r[2] = q & 0x00f000f0;
    r[3] = q >> 8 & 0x00f000f0;
}

/* Elements 16 to 31 are 16 q: x has the sixteenth. */
template <> struct format<T2L_Q4_0> : block_format {
    enum { CHUNK = 256, BYTES = 144, PIECES = 10, PITCH = 11, GROUP = 1, WORDS = 1, SUMS = 1, ZERO = 8, MINS = 0, UNROLL = 4, PREPARED = 0 };
    static __device__ __forceinline__ void load(uint32_t *q, const uint8_t *row, int, int j, int t) {
        q[0] = word2(row + j * 18 + 2 + t * 4);
    }
    static __device__ __forceinline__ void unpack(const uint32_t *q, int, uint32_t r[4]) {
        nibbles(q[0], r);
    }
    static __device__ __forceinline__ float2 scale(const uint8_t *row, int j) {
        return make_float2(half_at(row + j * 18), 0);
    }
};

template <> struct format<T2L_Q4_1> : block_format {
    enum { CHUNK = 256, BYTES = 160, PIECES = 11, PITCH = 11, GROUP = 1, WORDS = 1, SUMS = 1, ZERO = 0, MINS = 1, UNROLL = 4, PREPARED = 0 };
    static __device__ __forceinline__ void load(uint32_t *q, const uint8_t *row, int, int j, int t) {
        q[0] = word(row + j * 20 + 4 + t * 4);
    }
    static __device__ __forceinline__ void unpack(const uint32_t *q, int, uint32_t r[4]) {
        nibbles(q[0], r);
    }
    static __device__ __forceinline__ float2 scale(const uint8_t *row, int j) {
        uint32_t both = word(row + j * 20);
        return make_float2(half_value(both), half_value(both >> 16));
    }
};

/* Signed bytes, as q + 128. */
template <> struct format<T2L_Q8_0> : block_format {
    enum { CHUNK = 128, BYTES = 136, PIECES = 10, PITCH = 11, GROUP = 1, WORDS = 2, SUMS = 1, ZERO = 128, MINS = 0, UNROLL = 4, PREPARED = 0 };
    static __device__ __forceinline__ void load(uint32_t *q, const uint8_t *row, int, int j, int t) {
        q[0] = word2(row + j * 34 + 2 + t * 4);
        q[1] = word2(row + j * 34 + 18 + t * 4);
    }
    static __device__ __forceinline__ void unpack(const uint32_t *q, int, uint32_t r[4]) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            r[2 * i] = (q[i] & 0x00ff00ff) ^ 0x00800080;
            r[2 * i + 1] = (q[i] >> 8 & 0x00ff00ff) ^ 0x00800080;
        }
    }
    static __device__ __forceinline__ float2 scale(const uint8_t *row, int j) {
        return make_float2(half_at(row + j * 34), 0);
    }
};

/* 32 bytes hold two 32s, the second in the high halves: its scale has a sixteenth. */
template <> struct format<T2L_Q4_K> : block_format {
    enum { CHUNK = 256, BYTES = 144, PIECES = 10, PITCH = 11, GROUP = 2, WORDS = 2, SUMS = 1, ZERO = 0, MINS = 1, UNROLL = 2, PREPARED = 1 };
    static __device__ __forceinline__ void load(uint32_t *q, const uint8_t *row, int, int j, int t) {
        q[0] = word(row + 16 + j * 32 + t * 4);
        q[1] = word(row + 32 + j * 32 + t * 4);
    }
    static __device__ __forceinline__ void unpack(const uint32_t *q, int i, uint32_t r[4]) {
        const uint32_t mask = i == 0 ? 0x000f000f : 0x00f000f0;
        r[0] = q[0] & mask;
        r[1] = q[0] >> 8 & mask;
        r[2] = q[1] & mask;
        r[3] = q[1] >> 8 & mask;
    }
    /* Scale and minimum of 32s 4 half .. 4 half + 3: six bits each, in bytes; see formats.cuh. */
    static __device__ __forceinline__ void prepare(const uint8_t *row, int half, float2 v[4]) {
        const uint32_t both = word(row), low = word(row + 4), middle = word(row + 8), high = word(row + 12);
        const uint32_t scales = half == 0 ? low & 0x3f3f3f3f : (high & 0x0f0f0f0f) | (low >> 2 & 0x30303030);
        const uint32_t minimums = half == 0 ? middle & 0x3f3f3f3f : (high >> 4 & 0x0f0f0f0f) | (middle >> 2 & 0x30303030);
        const float d = half_value(both), m = -half_value(both >> 16);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            v[i].x = (i % 2 == 0 ? d : d * 0.0625f) * (float)(scales >> 8 * i & 255);
            v[i].y = m * (float)(minimums >> 8 * i & 255);
        }
    }
};

/* Of four 32s, the first two are in low halves, the others in high ones, so these are 16 q. */
template <> struct format<T2L_Q6_K> : block_format {
    enum { CHUNK = 256, BYTES = 210, PIECES = 14, PITCH = 15, GROUP = 4, WORDS = 6, SUMS = 2, ZERO = 32, MINS = 0, UNROLL = 1, PREPARED = 1 };
    /* Low four bits of 32s 0 and 2, of 1 and 3, high two bits of all; twice, for elements 4t and for 16 + 4t. */
    static __device__ __forceinline__ void load(uint32_t *q, const uint8_t *row, int, int j, int t) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            q[i] = word2(row + j * 64 + i * 16 + t * 4);
        }
#pragma unroll
        for (int i = 0; i < 2; i++) {
            q[4 + i] = word2(row + 128 + j * 32 + i * 16 + t * 4);
        }
    }
    static __device__ __forceinline__ void unpack(const uint32_t *q, int i, uint32_t r[4]) {
#pragma unroll
        for (int k = 0; k < 2; k++) {
            const uint32_t low = q[i % 2 * 2 + k], high = q[4 + k];
            const uint32_t even = i % 2 == 0 ? high << 4 : high << 2;
            const uint32_t odd = i % 2 == 0 ? high >> 4 : high >> 6;
            r[2 * k] = i < 2 ? (low & 0x000f000f) | (even & 0x00300030) : (low & 0x00f000f0) | (even & 0x03000300);
            r[2 * k + 1] = i < 2 ? (low >> 8 & 0x000f000f) | (odd & 0x00300030) : (low >> 8 & 0x00f000f0) | (odd & 0x03000300);
        }
    }
    /* Both scales of 32s 4 half .. 4 half + 3. */
    static __device__ __forceinline__ void prepare(const uint8_t *row, int half, float2 v[4]) {
        const float d = half_at(row + 208);
        const uint32_t scales[2] = {word2(row + 192 + half * 8), word2(row + 196 + half * 8)};
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const float e = i < 2 ? d : d * 0.0625f;
            v[i].x = e * (float)(int8_t)(scales[i / 2] >> i % 2 * 16);
            v[i].y = e * (float)(int8_t)(scales[i / 2] >> (i % 2 * 16 + 8));
        }
    }
};
