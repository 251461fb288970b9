/*
 * What thin.cu is made of: the launch as it is passed, shared memory, how x is laid out for the tensor cores, and how weights come in.
 */
#pragma once

#include "blocks.cuh"
#include "formats.cuh"
#include "lora.cuh"
#include "overlap.cuh"

enum { THIN_WARPS = 8, MOST_PRODUCTS = 4, XBLOCK = 256 };

/* All fields have 64 bits: dev.t2l.backend.CudaThin passes them one by one. */
struct thin_product {
    const uint8_t *w; /* all of a launch at the same distance from a multiple of 16, with rows of the same bytes */
    float *y;
    const void *bias; /* or null */
    int64_t bias_type;
    int64_t out;
    int64_t tiles; /* of this product, or of a paired launch */
    lora_rows lora;
};

struct thin_launch {
    const float *x; /* [rows, in], at a multiple of 16 bytes; in is a multiple of 8 */
    int64_t rows, in, row_bytes;
    const void *norm; /* weights of a norm of x, at a multiple of 16 bytes, or null */
    int64_t norm_type;     /* f32, f16 or bf16 */
    int64_t norm_numbers;  /* eps, and above it the offset, as f32 */
    int64_t paired;        /* products 0 and 1 are made together: y[0] = f(product 0) * product 1 */
    int64_t activation;    /* f of a paired launch, of `gate`, or of the product itself; -1: none */
    const float *gate;     /* of y's shape: y = f(gate) * product; or null; may be y */
    const float *residual; /* of y's shape, added last; or null; may be y */
    int64_t group;         /* rows of x that a block takes */
    int64_t tiles;         /* of all products */
    int64_t panel;         /* columns of x in shared memory */
    int64_t stages;        /* of each warp's ring: 2 to 8 */
    int64_t behind_low;    /* the kernel ahead only made lora.low of the same x, and was not let go before x was there */
    int64_t count;
    thin_product products[MOST_PRODUCTS];
};

/* Bytes of shared memory, from one part to the next; dev.t2l.backend.ThinKernel computes the same. */
template <int TYPE, int TILES, int NT, int WARPS> struct thin_room {
    typedef format<TYPE> F;
    enum {
        OUTPUTS = 16 * TILES,
        ROWS = 4 * NT, /* of x, at most */
        STAGE = OUTPUTS * F::PITCH * 16,
        SCALES = F::PREPARED ? TILES * F::CHUNK / 32 * 128 : 0, /* [TILES][32s][8 rows] pairs of row g and g + 8 */
        PARTIAL = WARPS * ROWS * OUTPUTS * 4,
        ITEMS = ROWS * OUTPUTS / WARP, /* outputs that a lane of the last warp finishes */
    };
    uint32_t squares, parts, sums, exponents, partial, beside, rings, ring, all;
    __host__ __device__ __forceinline__ thin_room(int n, int in, int panel, int stages) {
        squares = 64; /* after four barriers and the rows' factors */
        parts = squares + ((in + XBLOCK - 1) / XBLOCK * n * 4 + 15) / 16 * 16;
        sums = parts + panel * n * 4;
        exponents = sums + panel / 32 * n * 4 * F::SUMS;
        partial = exponents + (panel / XBLOCK * n * 4 + 15) / 16 * 16;
        beside = partial + 2 * PARTIAL;
        rings = beside + 2 * ITEMS * WARP * 4;
        ring = stages * STAGE + SCALES;
        all = rings + WARPS * ring;
    }
};

/* Elements k .. k+3 of a norm's weights; zeros beyond n. */
INLINE float4 norm4(const void *p, int type, int k, int n) {
    if (k >= n) {
        return make_float4(0, 0, 0, 0);
    }
    if (type == T2L_F32) {
        return __ldg((const float4 *)((const float *)p + k));
    }
    const uint2 v = __ldg((const uint2 *)((const uint16_t *)p + k));
    if (type == T2L_F16) {
        return make_float4(half_value(v.x), half_value(v.x >> 16), half_value(v.y), half_value(v.y >> 16));
    }
    return make_float4(__uint_as_float(v.x << 16), __uint_as_float(v.x & 0xffff0000), __uint_as_float(v.y << 16), __uint_as_float(v.y & 0xffff0000));
}

/*
 * Columns [from, from + panel) of n rows of x: for each 32 of them and row, high parts and what these leave over, 64 bytes each; the sums
 * that the format wants; and for f16 the power of two by which each 256 was divided, so that any float fits. With a norm, x is multiplied by
 * the norm's weights alone, and the squares of each 256 are summed: the row's factor comes last, with the product's sums.
 */
template <int TYPE, int TILES, int NT, int WARPS>
INLINE void stage_x(uint8_t *shared, const thin_room<TYPE, TILES, NT, WARPS> &room, const thin_launch &a, const float *x, int n, int from, int panel,
                    bool squares, int warp, int lane) {
    typedef format<TYPE> F;
    enum { TOGETHER = NT == 1 ? 2 : 4 }; /* as registers allow */
    const int in = (int)a.in;
    const int t = lane % 4;
    const int first = lane / 4 * 32 + (F::PLAIN ? 8 * t : 4 * t);
    const int second = first + (F::PLAIN ? 4 : 16);
    const int units = n * (panel / XBLOCK);
    const uint32_t nth = (65536 + n - 1) / n; /* unit / n, for few units */
    float4 v[TOGETHER][2];
    for (int base = warp; base < units; base += WARPS * TOGETHER) {
#pragma unroll
        for (int u = 0; u < TOGETHER; u++) {
            const int unit = base + u * WARPS;
            const int block = unit * nth >> 16;
            const int k = from + block * XBLOCK;
            const float *at = x + (int64_t)(unit - block * n) * in + k;
            v[u][0] = unit < units && k + first < in ? load_fresh4(at + first) : make_float4(0, 0, 0, 0);
            v[u][1] = unit < units && k + second < in ? load_fresh4(at + second) : make_float4(0, 0, 0, 0);
        }
#pragma unroll
        for (int u = 0; u < TOGETHER; u++) {
            const int unit = base + u * WARPS;
            if (unit >= units) {
                break;
            }
            const int block = unit * nth >> 16;
            const int row = unit - block * n;
            const int step = block * (XBLOCK / 32) + lane / 4;
            float e[8] = {v[u][0].x, v[u][0].y, v[u][0].z, v[u][0].w, v[u][1].x, v[u][1].y, v[u][1].z, v[u][1].w};
            if (a.norm != nullptr) {
                if (squares) {
                    float sum = 0;
#pragma unroll
                    for (int i = 0; i < 8; i++) {
                        sum = fmaf(e[i], e[i], sum);
                    }
                    sum = warp_sum(sum);
                    if (lane == 0 && from + block * XBLOCK < in) {
                        ((float *)(shared + room.squares))[(from / XBLOCK + block) * n + row] = sum;
                    }
                }
                const float offset = __uint_as_float((uint32_t)(a.norm_numbers >> 32));
                const int k = from + block * XBLOCK;
                const float4 m0 = norm4(a.norm, (int)a.norm_type, k + first, in);
                const float4 m1 = norm4(a.norm, (int)a.norm_type, k + second, in);
                e[0] *= m0.x + offset;
                e[1] *= m0.y + offset;
                e[2] *= m0.z + offset;
                e[3] *= m0.w + offset;
                e[4] *= m1.x + offset;
                e[5] *= m1.y + offset;
                e[6] *= m1.z + offset;
                e[7] *= m1.w + offset;
            }
            if (F::HALF) {
                float most = 0;
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    most = fmaxf(most, fabsf(e[i]));
                }
                most = warp_max(most);
                const uint32_t exponent = min(max(__float_as_uint(most) >> 23, 15u), 244u);
                const float scale = __uint_as_float((268 - exponent) << 23); /* the largest is 2^14 or more, below 2^15 */
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    e[i] *= scale;
                }
                if (lane == 0) {
                    ((uint32_t *)(shared + room.exponents))[block * n + row] = (F::PLAIN ? exponent - 14 : exponent + 10) << 23; /* back, and by 2^24 */
                }
            }
            if (F::SUMS > 0) {
                float low = e[0] + e[1] + (e[2] + e[3]);
                float high = e[4] + e[5] + (e[6] + e[7]);
                if (F::SUMS == 1) {
                    low += high;
                }
                low += __shfl_xor_sync(~0u, low, 1);
                low += __shfl_xor_sync(~0u, low, 2);
                float *sums = (float *)(shared + room.sums) + (step * n + row) * F::SUMS;
                const float unit_of_q = 1.0f / 16777216;
                float by = F::ZERO == 0 ? unit_of_q : -F::ZERO * unit_of_q;
                if (F::SUMS == 2) {
                    high += __shfl_xor_sync(~0u, high, 1);
                    high += __shfl_xor_sync(~0u, high, 2);
                    by = step % 4 < 2 ? by : 16 * by;
                    if (t == 0) {
                        sums[1] = high * by;
                    }
                }
                if (t == 0) {
                    sums[0] = low * by;
                }
            }
            if (TYPE == T2L_Q4_0 || TYPE == T2L_Q4_1) {
#pragma unroll
                for (int i = 4; i < 8; i++) {
                    e[i] *= 0.0625f;
                }
            }
            uint32_t high[4], low[4];
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float p = F::PLAIN ? e[2 * i] : e[i / 2 * 4 + i % 2];
                const float q = F::PLAIN ? e[2 * i + 1] : e[i / 2 * 4 + i % 2 + 2];
                if (F::HALF) {
                    high[i] = pack_f16(p, q);
                    low[i] = pack_f16(p - half_value(high[i]), q - half_value(high[i] >> 16));
                } else {
                    high[i] = pack_bf16(p, q);
                    low[i] = pack_bf16(p - __uint_as_float(high[i] << 16), q - __uint_as_float(high[i] & 0xffff0000));
                }
            }
            uint8_t *to = shared + room.parts + (step * n + row) * 128 + t * 16;
            *(uint4 *)to = make_uint4(high[0], high[1], high[2], high[3]);
            *(uint4 *)(to + 64) = make_uint4(low[0], low[1], low[2], low[3]);
        }
    }
}

/* What a tile of a launch makes: from which output of which product on. */
struct thin_place {
    int product, first;
};

template <int TILES> INLINE thin_place thin_locate(const thin_launch &a, int tile) {
    int product = 0;
    while (product + 1 < MOST_PRODUCTS && tile >= (int)a.products[product].tiles) {
        tile -= (int)a.products[product++].tiles;
    }
    return {product, a.paired ? tile * (8 * TILES) : tile * (16 * TILES)};
}

INLINE void wait_for_stage(int under_way) {
    switch (under_way) {
    case 0:
        return copy_wait<0>();
    case 1:
        return copy_wait<1>();
    case 2:
        return copy_wait<2>();
    case 3:
        return copy_wait<3>();
    case 4:
        return copy_wait<4>();
    case 5:
        return copy_wait<5>();
    default:
        return copy_wait<6>();
    }
}

/* A warp's copies of its chunks, tile after tile; lane (g, t) has pieces t, t + 4, .. of rows g and g + 8 of a tile's 16. */
template <int TYPE, int TILES, int WARPS> struct thin_source {
    typedef format<TYPE> F;
    enum { COPIES = (F::PIECES + 3) / 4, STEP = WARPS * F::BYTES };
    const thin_launch &a;
    const uint8_t *rows[2]; /* their next chunk */
    int skew; /* of row g's chunks from a multiple of 16: of all tiles and chunks of this warp, since eight rows and a step are one */
    int left; /* outputs from the tile's first on */
    int tile, round, rounds;
    int last_bytes; /* of this warp's last chunk of a row */
    int warp, g, t;

    __device__ __forceinline__ thin_source(const thin_launch &a, int first_tile, int warp, int lane)
        : a(a), left(0), tile(first_tile), round(0), warp(warp), g(lane / 4), t(lane % 4) {
        const int chunks = ((int)a.in + F::CHUNK - 1) / F::CHUNK;
        rounds = (chunks - warp + WARPS - 1) / WARPS;
        last_bytes = (chunks - 1) % WARPS == warp ? (int)a.row_bytes - (chunks - 1) * F::BYTES : F::BYTES;
        skew = (int)((uintptr_t)(a.products[0].w + g * a.row_bytes + warp * F::BYTES) & 15);
        if (rounds <= 0) {
            tile = (int)a.tiles;
        }
        locate();
    }

    __device__ __forceinline__ void locate() {
        if (tile < (int)a.tiles) {
            const thin_place place = thin_locate<TILES>(a, tile);
            const int64_t at = (int64_t)(place.first + g) * a.row_bytes + (warp * F::BYTES - skew + t * 16);
            rows[0] = a.products[place.product].w + at;
            rows[1] = a.paired ? a.products[1].w + at : rows[0] + 8 * a.row_bytes;
            left = (int)a.products[place.product].out - place.first;
        }
    }

    /* Piece c of this lane; `before`: bytes of the chunk before it, `bytes`: those that are wanted. */
    __device__ __forceinline__ int before(int c) const {
        return (t + 4 * c) * 16 - skew;
    }

    __device__ __forceinline__ void copy_whole(uint8_t *stage) const {
#pragma unroll
        for (int i = 0; i < 2 * TILES; i++) {
            const uint8_t *from = i < 2 ? rows[i] : rows[i % 2] + (a.paired ? 8 : 16) * a.row_bytes;
            uint8_t *to = stage + (i * 8 + g) * (F::PITCH * 16) + t * 16;
#pragma unroll
            for (int c = 0; c < COPIES; c++) {
                if (c * 64 + 64 <= F::BYTES) {
                    copy_async(to + F::place(g, c * 64), from + c * 64, 16);
                } else if (before(c) < F::BYTES) {
                    copy_async(to + F::place(g, c * 64), from + c * 64, min(F::BYTES - before(c), 16));
                }
            }
        }
    }

    /* The same where rows or columns are missing: zeros instead. */
    __device__ __forceinline__ void copy_some(uint8_t *stage, int bytes) const {
        const int each = a.paired ? 8 : 16;
#pragma unroll 1
        for (int i = 0; i < 2 * TILES; i++) {
            const bool there = i / 2 * each + (a.paired ? 0 : i % 2 * 8) + g < left;
            const uint8_t *from = (i % 2 == 0 ? rows[0] : rows[1]) + (i / 2 * each) * a.row_bytes;
#pragma unroll 1
            for (int c = 0; c < COPIES && before(c) < F::BYTES; c++) {
                const int size = there ? min(max(bytes - before(c), 0), 16) : 0;
                copy_async(stage + (i * 8 + g) * (F::PITCH * 16) + t * 16 + F::place(g, c * 64),
                           size > 0 ? from + c * 64 : (const uint8_t *)((uintptr_t)a.products[0].w & ~(uintptr_t)15), size);
            }
        }
    }

    /* Begins to copy the next chunk, if there is one; always ends a group. */
    __device__ __forceinline__ void issue(uint8_t *stage, int tile_step) {
        if (tile < (int)a.tiles) {
            const int bytes = round == rounds - 1 ? last_bytes : F::BYTES;
            if (bytes == F::BYTES && left >= (a.paired ? 8 : 16) * TILES) {
                copy_whole(stage);
            } else {
                copy_some(stage, bytes);
            }
            rows[0] += STEP;
            rows[1] += STEP;
            if (++round == rounds) {
                round = 0;
                tile += tile_step;
                locate();
            }
        }
        copy_commit();
    }
};
