/*
 * Weights for the tensor cores: how each format's staged bytes become the b operand of mma, exactly.
 *
 * Rows of 16-bit weights start at multiples of 16 bytes, Q4_1 and Q4_K at multiples of 4 (as blocks do), others at even addresses.
 *
 * A row is staged in shared memory by chunks. Of each 32 elements of a chunk, a lane (t = lane % 4) unpacks eight into four registers:
 * b[0], b[1] for the first mma, b[2], b[3] for the second. Quantised values are small integers, which bf16 holds exactly; their scales
 * are f32 and multiply the sums (f16 weights are a bf16 and what it leaves over: no error, twice the mma). Which eight, and so the order
 * of the elements within a 32, is the format's: a plain one has 8t .. 8t+7, a quantised one 4t .. 4t+3 and 16+4t .. 16+4t+3 (taken as
 * +0, +2, +1, +3, the way that a byte mask leaves them). SEQUENTIAL says which; x is laid out to match.
 *
 * bf16 128 + q has q in its lowest bits for q < 128, f32 2^23 + q for q < 2^23: an OR converts, a subtraction, also exact, takes the
 * offset and the format's zero point off.
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

/* Low or high halves of four bytes, minus ZERO: (0, 2) and (1, 3). */
template <int SHIFT, int ZERO> INLINE void unpack_nibbles(uint32_t q, uint32_t *b) {
    const uint32_t zero = (0x4300 + ZERO) * 0x10001u; /* 128 + ZERO, twice */
    b[0] = sub_bf16x2((q >> SHIFT & 0x000f000f) | 0x43004300, zero);
    b[1] = sub_bf16x2((q >> (SHIFT + 8) & 0x000f000f) | 0x43004300, zero);
}

/* Four signed bytes: (0, 2) and (1, 3). */
INLINE void unpack_bytes(uint32_t q, uint32_t *b) {
    const float zero = 8388608 + 128;
    q ^= 0x80808080;
    uint32_t v[4];
    v[0] = __float_as_uint(__uint_as_float(__byte_perm(q, 0x4b000000, 0x7540)) - zero);
    v[1] = __float_as_uint(__uint_as_float(__byte_perm(q, 0x4b000000, 0x7541)) - zero);
    v[2] = __float_as_uint(__uint_as_float(__byte_perm(q, 0x4b000000, 0x7542)) - zero);
    v[3] = __float_as_uint(__uint_as_float(__byte_perm(q, 0x4b000000, 0x7543)) - zero);
    b[0] = upper_halves(v[0], v[2]);
    b[1] = upper_halves(v[1], v[3]);
}

/*
 * What a format says of itself:
 *   CHUNK      elements a stage, a multiple of the block; BYTES of them in a row
 *   PIECES     16-byte pieces that cover a chunk at any address its rows can have
 *   PITCH      pieces from one staged row to the next: so that eight rows lie in different banks
 *   SCALES     scales a chunk; 0: none. MINS: and as many minimums, to be subtracted
 *   PARTS      bf16 parts of a weight
 *   scale      scale (and minimum) s of a staged row; unpack: a lane's share of its 32 elements number j
 */
template <int TYPE> struct format;

template <> struct format<T2L_BF16> {
    enum { CHUNK = 128, BYTES = 256, PIECES = 16, PITCH = 16, SCALES = 0, MINS = 0, PARTS = 1, SEQUENTIAL = 1 };
    static __device__ __forceinline__ void scale(const uint8_t *, int, float *, float *) {
    }
    /* Odd rows have the halves of their 128 bytes swapped: row g and row g + 1 are read together. */
    static __device__ __forceinline__ int place(int row, int piece) {
        return piece ^ (row % 2 * 4);
    }
    static __device__ __forceinline__ void unpack(const uint8_t *row, int g, int j, int t, uint32_t *b) {
        uint4 v = *(const uint4 *)(row + place(g, j * 4 + t) * 16);
        b[0] = v.x;
        b[1] = v.y;
        b[2] = v.z;
        b[3] = v.w;
    }
};

template <> struct format<T2L_F16> {
    enum { CHUNK = 128, BYTES = 256, PIECES = 16, PITCH = 16, SCALES = 0, MINS = 0, PARTS = 2, SEQUENTIAL = 1 };
    static __device__ __forceinline__ void scale(const uint8_t *, int, float *, float *) {
    }
    static __device__ __forceinline__ int place(int row, int piece) {
        return piece ^ (row % 2 * 4);
    }
    /* b[4 .. 7]: what bf16 leaves over, at most four bits. */
    static __device__ __forceinline__ void unpack(const uint8_t *row, int g, int j, int t, uint32_t *b) {
        uint4 v = *(const uint4 *)(row + place(g, j * 4 + t) * 16);
        uint32_t pairs[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float low = __half2float(__ushort_as_half((unsigned short)pairs[i]));
            float high = __half2float(__ushort_as_half((unsigned short)(pairs[i] >> 16)));
            b[i] = upper_halves(__float_as_uint(low), __float_as_uint(high));
            low -= __uint_as_float(b[i] << 16);
            high -= __uint_as_float(b[i] & 0xffff0000);
            b[4 + i] = upper_halves(__float_as_uint(low), __float_as_uint(high));
        }
    }
};

template <> struct format<T2L_Q4_0> {
    enum { CHUNK = 256, BYTES = 144, PIECES = 10, PITCH = 11, SCALES = 8, MINS = 0, PARTS = 1, SEQUENTIAL = 0 };
    static __device__ __forceinline__ int place(int, int piece) {
        return piece;
    }
    static __device__ __forceinline__ void scale(const uint8_t *row, int s, float *d, float *) {
        *d = half_at(row + s * 18);
    }
    static __device__ __forceinline__ void unpack(const uint8_t *row, int, int j, int t, uint32_t *b) {
        uint32_t q = word2(row + j * 18 + 2 + t * 4);
        unpack_nibbles<0, 8>(q, b);
        unpack_nibbles<4, 8>(q, b + 2);
    }
};

template <> struct format<T2L_Q4_1> {
    enum { CHUNK = 256, BYTES = 160, PIECES = 11, PITCH = 11, SCALES = 8, MINS = 1, PARTS = 1, SEQUENTIAL = 0 };
    static __device__ __forceinline__ int place(int, int piece) {
        return piece;
    }
    static __device__ __forceinline__ void scale(const uint8_t *row, int s, float *d, float *m) {
        *d = half_at(row + s * 20);
        *m = -half_at(row + s * 20 + 2);
    }
    static __device__ __forceinline__ void unpack(const uint8_t *row, int, int j, int t, uint32_t *b) {
        uint32_t q = word(row + j * 20 + 4 + t * 4);
        unpack_nibbles<0, 0>(q, b);
        unpack_nibbles<4, 0>(q, b + 2);
    }
};

template <> struct format<T2L_Q8_0> {
    enum { CHUNK = 256, BYTES = 272, PIECES = 18, PITCH = 19, SCALES = 8, MINS = 0, PARTS = 1, SEQUENTIAL = 0 };
    static __device__ __forceinline__ int place(int, int piece) {
        return piece;
    }
    static __device__ __forceinline__ void scale(const uint8_t *row, int s, float *d, float *) {
        *d = half_at(row + s * 34);
    }
    static __device__ __forceinline__ void unpack(const uint8_t *row, int, int j, int t, uint32_t *b) {
        const uint8_t *q = row + j * 34 + 2 + t * 4;
        unpack_bytes(word2(q), b);
        unpack_bytes(word2(q + 16), b + 2);
    }
};

template <> struct format<T2L_Q4_K> {
    enum { CHUNK = 256, BYTES = 144, PIECES = 10, PITCH = 11, SCALES = 8, MINS = 1, PARTS = 1, SEQUENTIAL = 0 };
    static __device__ __forceinline__ int place(int, int piece) {
        return piece;
    }
    /* Six bits each; see formats.cuh. */
    static __device__ __forceinline__ void scale(const uint8_t *row, int s, float *d, float *m) {
        const uint8_t *packed = row + 4;
        int scale = s < 4 ? packed[s] & 63 : (packed[s + 4] & 15) | packed[s - 4] >> 6 << 4;
        int minimum = s < 4 ? packed[s + 4] & 63 : packed[s + 4] >> 4 | packed[s] >> 6 << 4;
        *d = half_at(row) * (float)scale;
        *m = half_at(row + 2) * (float)minimum;
    }
    /* 32 bytes hold two 32s: the even one in the low halves. */
    static __device__ __forceinline__ void unpack(const uint8_t *row, int, int j, int t, uint32_t *b) {
        const uint8_t *q = row + 16 + j / 2 * 32 + t * 4;
        if (j % 2 == 0) {
            unpack_nibbles<0, 0>(word(q), b);
            unpack_nibbles<0, 0>(word(q + 16), b + 2);
        } else {
            unpack_nibbles<4, 0>(word(q), b);
            unpack_nibbles<4, 0>(word(q + 16), b + 2);
        }
    }
};

template <> struct format<T2L_Q6_K> {
    enum { CHUNK = 256, BYTES = 210, PIECES = 14, PITCH = 15, SCALES = 16, MINS = 0, PARTS = 1, SEQUENTIAL = 0 };
    static __device__ __forceinline__ int place(int, int piece) {
        return piece;
    }
    static __device__ __forceinline__ void scale(const uint8_t *row, int s, float *d, float *) {
        *d = half_at(row + 208) * (float)(int8_t)row[192 + s];
    }
    static __device__ __forceinline__ uint32_t six(uint32_t low, uint32_t high) {
        return sub_bf16x2((low & 0x000f000f) | ((high & 0x00300030) | 0x43004300), 0x43204320); /* 128 + 32 */
    }
    /* Element i of half h of a block: four bits of byte 64h + i % 64, two of byte 128 + 32h + i % 32. */
    static __device__ __forceinline__ void unpack(const uint8_t *row, int, int j, int t, uint32_t *b) {
        const uint8_t *ql = row + j / 4 * 64 + j % 2 * 32 + t * 4;
        const uint8_t *qh = row + 128 + j / 4 * 32 + t * 4;
        const int low = j % 4 / 2 * 4;
        const int up = j % 4 * 2; /* the two bits' place; they must come to 4 */
#pragma unroll
        for (int i = 0; i < 2; i++) {
            uint32_t l = word2(ql + i * 16);
            uint32_t h = word2(qh + i * 16);
            b[i * 2] = six(l >> low, up <= 4 ? h << (4 - up) : h >> (up - 4));
            b[i * 2 + 1] = six(l >> (low + 8), up <= 4 ? h >> 8 << (4 - up) : h >> (up + 4));
        }
    }
};
