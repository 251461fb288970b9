/*
 * Products by tiles on the tensor cores: sums[m, n] = x[m, k] w[n, k]^T, for whatever a job makes of rows of w and of sums.
 *
 * m16n8k16 with f32 sums. x is its bf16 value and what that leaves over, 16 bits or more, and so is w (a bf16 weight is just itself):
 * high * high + low * high + high * low. Tiles are 32 deep; two of each lie in shared memory, one is filled while the other is
 * multiplied; a warp has WM x WN sums.
 *
 * Bits: every sum goes over k in its order, 16 at a time, whatever the tile.
 */
#pragma once

#include "ptx.cuh"

/* Eight elements of a row of w, from a multiple of eight on, as read (fetch) and as bf16 pairs and what they leave over (unpack). */
struct raw_weights {
    uint32_t q[4];
    uint32_t scale; /* d and, above it, m, as halves */
    uint32_t more;
};

INLINE uint32_t u16_at(const uint8_t *p) {
    return __ldg((const uint16_t *)p);
}

INLINE uint32_t pair_at(const uint8_t *p) {
    return u16_at(p) | u16_at(p + 2) << 16;
}

INLINE float low_half(uint32_t v) {
    return __half2float(__ushort_as_half((unsigned short)v));
}

template <int TYPE> struct eights {
    static __device__ __forceinline__ void fetch(raw_weights &r, const uint8_t *row, int64_t k) {
        if (TYPE == T2L_F16 || TYPE == T2L_BF16) {
            uint4 v = __ldg((const uint4 *)(row + k * 2));
            r.q[0] = v.x;
            r.q[1] = v.y;
            r.q[2] = v.z;
            r.q[3] = v.w;
            return;
        }
        const int part = (int)(k % 32 / 8);
        if (TYPE == T2L_Q4_0 || TYPE == T2L_Q4_1 || TYPE == T2L_Q8_0) {
            const int bytes = TYPE == T2L_Q4_0 ? 18 : TYPE == T2L_Q4_1 ? 20 : 34;
            const uint8_t *b = row + k / 32 * bytes;
            r.scale = TYPE == T2L_Q4_1 ? pair_at(b) : u16_at(b);
            const uint8_t *q = b + (TYPE == T2L_Q4_1 ? 4 : 2) + (TYPE == T2L_Q8_0 ? part : part % 2) * 8;
            r.q[0] = pair_at(q);
            r.q[1] = pair_at(q + 4);
            return;
        }
        const int at = (int)(k % 256);
        const uint8_t *b = row + k / 256 * (TYPE == T2L_Q4_K ? 144 : 210);
        if (TYPE == T2L_Q4_K) {
            const int s = at / 32;
            const uint8_t *packed = b + 4;
            r.scale = pair_at(b);
            r.more = __ldg(packed + s % 4) | __ldg(packed + s % 4 + 4) << 8 | (uint32_t)__ldg(packed + s % 4 + 8) << 16;
            const uint8_t *q = b + 16 + at / 64 * 32 + part * 8;
            r.q[0] = pair_at(q);
            r.q[1] = pair_at(q + 4);
        } else {
            const uint8_t *low = b + at / 128 * 64 + at % 64;
            const uint8_t *high = b + 128 + at / 128 * 32 + at % 32;
            r.q[0] = pair_at(low);
            r.q[1] = pair_at(low + 4);
            r.q[2] = pair_at(high);
            r.q[3] = pair_at(high + 4);
            r.scale = u16_at(b + 208);
            r.more = __ldg(b + 192 + at / 16);
        }
    }

    /* The value of element i; bf16 and f16 take another way. */
    static __device__ __forceinline__ float value(const raw_weights &r, int64_t k, int i, float d, float m) {
        const uint32_t byte = r.q[i / 4] >> (i % 4 * 8) & 255;
        if (TYPE == T2L_Q8_0) {
            return d * (float)(int8_t)byte;
        }
        if (TYPE == T2L_Q6_K) {
            const int quarter = (int)(k % 128 / 32);
            const uint32_t high = r.q[2 + i / 4] >> (i % 4 * 8 + quarter * 2) & 3;
            return d * (float)((int)((byte >> (quarter / 2 * 4) & 15) | high << 4) - 32);
        }
        const int up = TYPE == T2L_Q4_K ? (int)(k % 64 / 32) : (int)(k % 32 / 16);
        const int four = (int)(byte >> (up * 4) & 15);
        return TYPE == T2L_Q4_0 ? d * (float)(four - 8) : d * (float)four + m;
    }

    static __device__ __forceinline__ void unpack(const raw_weights &r, int64_t k, uint32_t high[4], uint32_t low[4]) {
        float d = low_half(r.scale);
        float m = low_half(r.scale >> 16);
        if (TYPE == T2L_Q4_K) {
            const uint32_t a = r.more & 255, b = r.more >> 8 & 255, c = r.more >> 16;
            const bool first = k % 256 / 32 < 4;
            d *= (float)(first ? a & 63 : (c & 15) | a >> 6 << 4);
            m *= -(float)(first ? b & 63 : c >> 4 | b >> 6 << 4);
        } else if (TYPE == T2L_Q6_K) {
            d *= (float)(int8_t)r.more;
        }
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (TYPE == T2L_BF16) {
                high[i] = r.q[i];
                continue;
            }
            float even, odd;
            if (TYPE == T2L_F16) {
                even = low_half(r.q[i]);
                odd = low_half(r.q[i] >> 16);
            } else {
                even = value(r, k, 2 * i, d, m);
                odd = value(r, k, 2 * i + 1, d, m);
            }
            high[i] = pack_bf16(even, odd);
            low[i] = pack_bf16(even - __uint_as_float(high[i] << 16), odd - __uint_as_float(high[i] & 0xffff0000));
        }
    }
};

/* Shared memory: [2] of high and low parts of x [BM] and of w [BN], rows of 32 bf16 that start 80 bytes apart. */
template <int TYPE, int BM, int BN> struct tiles {
    enum { PITCH = 80, PARTS = TYPE == T2L_BF16 ? 1 : 2, X = BM * PITCH, W = BN * PITCH, BUFFER = 2 * X + PARTS * W, SHARED = 2 * BUFFER };
};

/*
 * The tile of sums from (first_row, first) on, of n x out. K is a multiple of 8, and rows of 16-bit weights start at multiples of 16
 * bytes. A job has row(o), the address of row o of w, and store(r, o, a, b), which takes sums (r, o) and, if o + 1 < out, (r, o + 1).
 */
template <int TYPE, int BM, int BN, int WM, int WN, typename J>
INLINE void tensor_tile(const J &job, const float *__restrict__ x, int64_t first_row, int64_t first, int64_t n, int64_t in, int64_t out) {
    typedef tiles<TYPE, BM, BN> S;
    enum { BK = 32, THREADS = BM / WM * (BN / WN) * WARP, MT = WM / 16, NT = WN / 8, XS = BM * 8 / THREADS, WS = BN * 4 / THREADS };
    static_assert(XS * THREADS == BM * 8 && WS * THREADS == BN * 4 && NT % 2 == 0, "a whole number of loads a thread");
    DYNAMIC_SHARED(shared);
    const int lane = threadIdx.x % WARP;
    const int warp_row = threadIdx.x / WARP / (BN / WN) * WM;
    const int warp_column = threadIdx.x / WARP % (BN / WN) * WN;
    const bool vector = vectors(x, in);
    float4 next_x[XS];
    raw_weights next_w[WS];
    const uint8_t *rows[WS];
    float acc[MT][NT][4] = {};

    auto fetch = [&](int64_t k) {
#pragma unroll
        for (int i = 0; i < XS; i++) {
            int item = threadIdx.x + i * THREADS;
            next_x[i] = load4(x + min(first_row + item / 8, n - 1) * in, k + item % 8 * 4, in, vector);
        }
#pragma unroll
        for (int i = 0; i < WS; i++) {
            int item = threadIdx.x + i * THREADS;
            int64_t at = k + item % 4 * 8;
            if (at < in) { /* else x is 0 there, and what w was is finite */
                eights<TYPE>::fetch(next_w[i], rows[i], at);
            }
        }
    };
    auto put = [&](uint8_t *buffer, int64_t k) {
#pragma unroll
        for (int i = 0; i < XS; i++) {
            int item = threadIdx.x + i * THREADS;
            uint4 v = split4(next_x[i].x, next_x[i].y, next_x[i].z, next_x[i].w);
            uint8_t *to = buffer + item / 8 * S::PITCH + item % 8 * 8;
            *(uint2 *)to = make_uint2(v.x, v.z);
            *(uint2 *)(to + S::X) = make_uint2(v.y, v.w);
        }
#pragma unroll
        for (int i = 0; i < WS; i++) {
            int item = threadIdx.x + i * THREADS;
            uint32_t high[4], low[4];
            eights<TYPE>::unpack(next_w[i], k + item % 4 * 8, high, low);
            uint8_t *to = buffer + 2 * S::X + item / 4 * S::PITCH + item % 4 * 16;
            *(uint4 *)to = make_uint4(high[0], high[1], high[2], high[3]);
            if (S::PARTS == 2) {
                *(uint4 *)(to + S::W) = make_uint4(low[0], low[1], low[2], low[3]);
            }
        }
    };

#pragma unroll
    for (int i = 0; i < WS; i++) {
        next_w[i] = raw_weights{};
        rows[i] = job.row(min(first + (int)(threadIdx.x + i * THREADS) / 4, out - 1));
    }
    fetch(0);
    put(shared, 0);
    __syncthreads();
    int buffer = 0;
    for (int64_t k0 = 0; k0 < in; k0 += BK) {
        const bool more = k0 + BK < in;
        if (more) {
            fetch(k0 + BK);
        }
        /* Lanes 0-7, 8-15, ... give the rows of the four matrices of a load. */
        const uint8_t *at_x = shared + buffer * S::BUFFER + (warp_row + lane % 16) * S::PITCH + lane / 16 * 16;
        const uint8_t *at_w = shared + buffer * S::BUFFER + 2 * S::X + (warp_column + lane % 8 + lane / 16 * 8) * S::PITCH + lane / 8 % 2 * 16;
#pragma unroll
        for (int step = 0; step < 2; step++) {
            uint4 a[MT], rest[MT], b[NT / 2];
#pragma unroll
            for (int m = 0; m < MT; m++) {
                a[m] = load_matrices(at_x + m * 16 * S::PITCH + step * 32);
                rest[m] = load_matrices(at_x + S::X + m * 16 * S::PITCH + step * 32);
            }
#pragma unroll
            for (int j = 0; j < NT / 2; j++) {
                b[j] = load_matrices(at_w + j * 16 * S::PITCH + step * 32);
            }
#pragma unroll
            for (int part = 0; part < 2; part++) {
#pragma unroll
                for (int m = 0; m < MT; m++) {
#pragma unroll
                    for (int j = 0; j < NT; j++) {
                        const uint4 &v = b[j / 2];
                        mma(acc[m][j], part == 0 ? a[m] : rest[m], j % 2 == 0 ? v.x : v.z, j % 2 == 0 ? v.y : v.w);
                    }
                }
            }
            if (S::PARTS == 2) {
#pragma unroll
                for (int j = 0; j < NT / 2; j++) {
                    b[j] = load_matrices(at_w + S::W + j * 16 * S::PITCH + step * 32);
                }
#pragma unroll
                for (int m = 0; m < MT; m++) {
#pragma unroll
                    for (int j = 0; j < NT; j++) {
                        const uint4 &v = b[j / 2];
                        mma(acc[m][j], a[m], j % 2 == 0 ? v.x : v.z, j % 2 == 0 ? v.y : v.w);
                    }
                }
            }
        }
        if (more) {
            put(shared + (buffer ^ 1) * S::BUFFER, k0 + BK);
        }
        __syncthreads();
        buffer ^= 1;
    }
#pragma unroll
    for (int j = 0; j < NT; j++) {
        int64_t o = first + warp_column + j * 8 + lane % 4 * 2;
        if (o >= out) {
            continue;
        }
#pragma unroll
        for (int m = 0; m < MT; m++) {
            int64_t r = first_row + warp_row + m * 16 + lane / 4;
            if (r < n) {
                job.store(r, o, acc[m][j][0], acc[m][j][1]);
            }
            if (r + 8 < n) {
                job.store(r + 8, o, acc[m][j][2], acc[m][j][3]);
            }
        }
    }
}
