/*
 * LoRA in training, a span of rows an adapter, under dropout. With x' = dropout(x), low = scale x' A^T and t = scale dy B:
 *
 *   y += low B^T          backwards          dx += dropout(t A),  dA += t^T x',  dB += dy^T low
 *
 * lora_turn lays each B out as A lies, [rank, out], in the order of y's columns. Forwards then lora_low for x, lora_outer onto y;
 * backwards lora_low for x and dy, lora_outer onto dx, and the sums over rows, in pieces of a span (lora_pieces) that lora_gradients adds
 * in their order. Which elements dropout keeps is found once a pass, by lora_low, and left in `kept` for the others; where a row of x is
 * no whole number of fours, each finds it anew.
 *
 * Activations are f32 or bf16, all else f32. Bytes: forwards x once, y read and written; backwards x and dy twice, dx read and written; A and
 * B once for every 8 or 16 rows, from the second cache. Flops: 2 r (in + out) a row forwards, three times that backwards, in f32; and
 * some 25 operations on integers an element of x, for dropout.
 *
 * Bits: low and t are sums over columns, cut by 128 threads' shares of four, or on the tensor cores by eight warps' of 32, where A and B
 * keep 16 bits; pieces begin at a span's first row. No row and no span depends on another.
 */
#include "half.cuh"
#include "lora.cuh"
#include "noise.cuh"

enum { EIGHT = 8, LOW_THREADS = 128, TILE_THREADS = 256, OUTER_THREADS = 128, OUTER_ROWS = 16, OUTER_RANKS = 32, MOST_PIECE = 64, PIECE_THREADS = 256 };

/* The last parameter of every kernel; its fields are passed as so many 64-bit parameters. */
struct lora_spans {
    const lora_factor *table; /* [2 count]: factors, then where their gradients go */
    int64_t count;
    const int32_t *spans; /* [count, 2] */
    int64_t n, in, out, head_dim;
    int64_t stride;    /* a multiple of eight, at least the largest rank */
    int64_t piece;     /* rows of one, at most MOST_PIECE */
    int64_t pieces;    /* of the longest span */
    int64_t threshold; /* of dropout: see Noise.threshold; 0 for none */
    int64_t factor;    /* what is left is multiplied by: the bits of a float */
    uint64_t seed;
    float *turned;     /* [count, stride, out] */
    float *low;        /* [n, stride] */
    float *t;          /* [n, stride] */
    uint8_t *kept;     /* [n, in / 4]: a bit an element; null where in is no multiple of 4, and without dropout */
    float *partial;    /* [count, pieces, stride, in], then [count, pieces, stride, out] */
    int *fault;
};

struct span {
    int from, to;
};

INLINE span span_of(const lora_spans &lora, int64_t f) {
    span s = {lora.spans[2 * f], lora.spans[2 * f + 1]};
    if (s.from < 0 || s.to < s.from || s.to > lora.n) {
        report(lora.fault, T2L_FAULT_LORA_BACKWARD);
        return {0, 0};
    }
    return s;
}

/* Which of elements i .. i + COUNT - 1 of x dropout keeps. */
template <int COUNT> INLINE unsigned keeps(const lora_spans &lora, int64_t i) {
    unsigned bits = 0;
#pragma unroll
    for (int e = 0; e < COUNT; e++) {
        bits |= (noise_bits(lora.seed, i + e) >= (uint32_t)lora.threshold ? 1u : 0u) << e;
    }
    return bits;
}

INLINE unsigned kept_before(const lora_spans &lora, int64_t i) {
    return lora.kept != nullptr ? lora.kept[i / 4] : keeps<4>(lora, i);
}

INLINE float4 drop(float4 v, unsigned kept, float factor) {
    return make_float4(kept & 1 ? v.x * factor : 0, kept & 2 ? v.y * factor : 0, kept & 4 ? v.z * factor : 0, kept & 8 ? v.w * factor : 0);
}

/* Grid: 256s of out, adapters. */
KERNEL lora_turn(lora_spans lora) {
    const int64_t o = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
    const lora_factor f = lora.table[blockIdx.y];
    if (o >= lora.out) {
        return;
    }
    const float *b = f.b + lora_row(o, lora.head_dim) * f.rank;
    float *to = lora.turned + blockIdx.y * lora.stride * lora.out + o;
    for (int k = 0; k < f.rank; k++) {
        to[k * lora.out] = b[k];
    }
}

/* Sums v[0 .. 2 HALF - 1] of a warp's lanes: for HALF = 32, lane i ends with those of 2i and 2i + 1 in v[0] and v[1]. */
template <int HALF> INLINE void fold(float v[]) {
    const bool upper = (threadIdx.x & HALF / 2) != 0;
#pragma unroll
    for (int i = 0; i < HALF; i++) {
        float mine = upper ? v[i + HALF] : v[i];
        float theirs = upper ? v[i] : v[i + HALF];
        v[i] = mine + __shfl_xor_sync(~0u, theirs, HALF / 2);
    }
    if constexpr (HALF > 2) {
        fold<HALF / 2>(v);
    }
}

/* Eight rows of v, the first of which is row `first` of x, times eight of m, both of so many columns: every thread's share, of four columns at a time. */
template <bool DROP, typename T>
INLINE void dots(float sums[64], const T *__restrict__ v, int64_t first, int rows, const float *__restrict__ m, int ranks, int columns, const lora_spans &lora) {
    const bool vector_v = vectors(v, columns), vector_m = vectors(m, columns);
    const float factor = __uint_as_float((uint32_t)lora.factor);
    for (int c = threadIdx.x * 4; c < columns; c += LOW_THREADS * 4) {
        float4 r[EIGHT];
#pragma unroll
        for (int i = 0; i < EIGHT; i++) {
            r[i] = load4(v + min(i, rows - 1) * (int64_t)columns, c, columns, vector_v);
        }
        if (DROP) {
#pragma unroll
            for (int i = 0; i < EIGHT; i++) {
                const int64_t at = (first + min(i, rows - 1)) * columns + c;
                const unsigned kept = keeps<4>(lora, at);
                if (lora.kept != nullptr && i < rows) {
                    lora.kept[at / 4] = (uint8_t)kept;
                }
                r[i] = drop(r[i], kept, factor);
            }
        }
#pragma unroll
        for (int k = 0; k < EIGHT; k++) {
            const float4 a = load4(m + min(k, ranks - 1) * (int64_t)columns, c, columns, vector_m);
#pragma unroll
            for (int i = 0; i < EIGHT; i++) {
                float &sum = sums[i * EIGHT + k];
                sum = fmaf(r[i].x, a.x, sum);
                sum = fmaf(r[i].y, a.y, sum);
                sum = fmaf(r[i].z, a.z, sum);
                sum = fmaf(r[i].w, a.w, sum);
            }
        }
    }
}

/* Grid: eights of a span's rows, adapters times eights of ranks, {low} or {low, t}. A warp has every fourth 128 columns of all of them. */
template <typename T> INLINE void low_body(const T *x, const T *dy, const lora_spans &lora) {
    __shared__ float sums[LOW_THREADS / WARP][64];
    const int64_t eights = lora.stride / EIGHT, f = blockIdx.y / eights;
    const int first_rank = (int)(blockIdx.y % eights) * EIGHT;
    const span rows = span_of(lora, f);
    const lora_factor factor = lora.table[f];
    const int64_t first = rows.from + blockIdx.x * (int64_t)EIGHT;
    if (first >= rows.to) {
        return;
    }
    const bool of_x = blockIdx.z == 0;
    const int64_t columns = of_x ? lora.in : lora.out;
    const T *v = (of_x ? x : dy) + first * columns;
    const float *m = (of_x ? factor.a : lora.turned + f * lora.stride * lora.out) + first_rank * columns;
    float *to = of_x ? lora.low : lora.t;
    const int left = (int)min(rows.to - first, (int64_t)EIGHT), ranks = factor.rank - first_rank;
    float v_m[64] = {};
    if (ranks <= 0) { /* zeros */
    } else if (of_x && lora.threshold != 0) {
        dots<true>(v_m, v, first, left, m, ranks, (int)columns, lora);
    } else {
        dots<false>(v_m, v, first, left, m, ranks, (int)columns, lora);
    }
    fold<32>(v_m);
    sums[threadIdx.x / WARP][threadIdx.x % WARP * 2] = v_m[0];
    sums[threadIdx.x / WARP][threadIdx.x % WARP * 2 + 1] = v_m[1];
    __syncthreads();
    const int64_t row = first + threadIdx.x / EIGHT;
    const int rank = first_rank + threadIdx.x % EIGHT;
    if (threadIdx.x < 64 && row < rows.to) {
        float sum = 0;
        for (int w = 0; w < LOW_THREADS / WARP; w++) {
            sum += sums[w][threadIdx.x];
        }
        to[row * lora.stride + rank] = rank < factor.rank ? factor.scale * sum : 0;
    }
}

/* A pair of f32 as two pairs of bf16 that add up to them, but for 2^-16 of it. */
INLINE uint2 split(float a, float b) {
    const uint32_t high = pack_bf16(a, b);
    return make_uint2(high, pack_bf16(a - low_bf16(high), b - high_bf16(high)));
}

/* 0xffff in each half of a pair whose bit, of two, is set. */
INLINE uint32_t mask_of(unsigned bits) {
    return (bits & 1 ? 0xffffu : 0) | (bits & 2 ? 0xffff0000u : 0);
}

/*
 * sums [16][8] = rows of v, the first of which is row `first` of x, times eight of m: a warp's share, of every eighth 32 columns, on the tensor
 * cores. Which column of a fragment is which column of v does not matter, as long as m's are the same: so a thread has eight in a row.
 */
template <bool DROP>
INLINE void tile_dots(float sums[4], const uint16_t *__restrict__ v, int64_t first, int rows, const float *__restrict__ m, int ranks, int columns, const lora_spans &lora) {
    const bool vector_m = vectors(m, columns);
    const int lane = threadIdx.x % WARP, group = lane / 4;
    const int own[2] = {min(group, rows - 1), min(group + 8, rows - 1)};
    m += min(group, ranks - 1) * (int64_t)columns;
#pragma unroll 2
    for (int from = threadIdx.x / WARP * 32; from < columns; from += TILE_THREADS) { /* the same for all of a warp */
        const int c = from + lane % 4 * 8;
        uint4 x[2];
#pragma unroll
        for (int h = 0; h < 2; h++) {
            x[h] = c < columns ? __ldg((const uint4 *)(v + own[h] * (int64_t)columns + c)) : make_uint4(0, 0, 0, 0);
        }
        const float4 a = load4(m, c, columns, vector_m), b = load4(m, c + 4, columns, vector_m);
        if (DROP) {
#pragma unroll
            for (int h = 0; h < 2; h++) {
                const int64_t at = (first + own[h]) * columns + c;
                const unsigned kept = keeps<8>(lora, at);
                if (group + 8 * h < rows && c < columns) {
                    *(uint16_t *)(lora.kept + at / 4) = (uint16_t)((kept & 15) | kept >> 4 << 8);
                }
                x[h].x &= mask_of(kept);
                x[h].y &= mask_of(kept >> 2);
                x[h].z &= mask_of(kept >> 4);
                x[h].w &= mask_of(kept >> 6);
            }
        }
        const uint2 m0 = split(a.x, a.y), m1 = split(a.z, a.w), m2 = split(b.x, b.y), m3 = split(b.z, b.w);
        const uint4 low = make_uint4(x[0].x, x[1].x, x[0].y, x[1].y), high = make_uint4(x[0].z, x[1].z, x[0].w, x[1].w);
        mma(sums, low, m0.x, m1.x);
        mma(sums, low, m0.y, m1.y);
        mma(sums, high, m2.x, m3.x);
        mma(sums, high, m2.y, m3.y);
    }
}

/* As lora_low_bf16, for rows of whole eights at multiples of 16 bytes. Grid: sixteens of a span's rows, else the same. */
KERNEL __launch_bounds__(TILE_THREADS, 2) lora_low_tiles(const uint16_t *x, const uint16_t *dy, lora_spans lora) {
    __shared__ float sums[TILE_THREADS / WARP][16][EIGHT];
    const int64_t eights = lora.stride / EIGHT, f = blockIdx.y / eights;
    const int first_rank = (int)(blockIdx.y % eights) * EIGHT;
    const span rows = span_of(lora, f);
    const lora_factor factor = lora.table[f];
    const int64_t first = rows.from + blockIdx.x * (int64_t)16;
    if (first >= rows.to) {
        return;
    }
    const bool of_x = blockIdx.z == 0, dropped = of_x && lora.threshold != 0;
    const int64_t columns = of_x ? lora.in : lora.out;
    const uint16_t *v = (of_x ? x : dy) + first * columns;
    const float *m = (of_x ? factor.a : lora.turned + f * lora.stride * lora.out) + first_rank * columns;
    const int left = (int)min(rows.to - first, (int64_t)16), ranks = factor.rank - first_rank;
    float mine[4] = {};
    if (ranks <= 0) { /* zeros */
    } else if (dropped) {
        tile_dots<true>(mine, v, first, left, m, ranks, (int)columns, lora);
    } else {
        tile_dots<false>(mine, v, first, left, m, ranks, (int)columns, lora);
    }
    const int lane = threadIdx.x % WARP;
#pragma unroll
    for (int e = 0; e < 4; e++) {
        sums[threadIdx.x / WARP][lane / 4 + e / 2 * 8][lane % 4 * 2 + e % 2] = mine[e];
    }
    __syncthreads();
    const int64_t row = first + threadIdx.x / EIGHT;
    const int rank = first_rank + threadIdx.x % EIGHT;
    if (threadIdx.x < 16 * EIGHT && row < rows.to) {
        float sum = 0;
        for (int w = 0; w < TILE_THREADS / WARP; w++) {
            sum += sums[w][threadIdx.x / EIGHT][threadIdx.x % EIGHT];
        }
        const float scale = dropped ? factor.scale * __uint_as_float((uint32_t)lora.factor) : factor.scale;
        (of_x ? lora.low : lora.t)[row * lora.stride + rank] = rank < factor.rank ? scale * sum : 0;
    }
}

/*
 * y += low B^T, or backwards dx += dropout(t A). Grid: 512s of columns, sixteens of all rows, which may be of several spans and of none. A
 * thread has four columns.
 */
template <typename T> INLINE void outer_body(T *to, bool back, const lora_spans &lora) {
    __shared__ int of[OUTER_ROWS];
    __shared__ float u[OUTER_RANKS][OUTER_ROWS];
    const int64_t first = blockIdx.y * (int64_t)OUTER_ROWS;
    const int count = (int)min((int64_t)OUTER_ROWS, lora.n - first);
    const int64_t c = (blockIdx.x * (int64_t)OUTER_THREADS + threadIdx.x) * 4;
    const int64_t columns = back ? lora.in : lora.out;
    const float *left = back ? lora.t : lora.low;
    const float factor = __uint_as_float((uint32_t)lora.factor);
    const bool vector_to = vectors(to, columns);
    if (threadIdx.x < OUTER_ROWS) {
        int mine = -1;
        for (int f = 0; f < lora.count; f++) {
            span s = span_of(lora, f);
            int64_t row = first + threadIdx.x;
            mine = row >= s.from && row < s.to ? f : mine;
        }
        of[threadIdx.x] = mine;
    }
    __syncthreads();
    for (int from = 0, end; from < count; from = end) {
        const int f = of[from];
        for (end = from + 1; end < count && of[end] == f; end++) {
        }
        if (f < 0) {
            continue;
        }
        float4 sums[OUTER_ROWS];
#pragma unroll
        for (int i = 0; i < OUTER_ROWS; i++) {
            sums[i] = make_float4(0, 0, 0, 0);
        }
        const int rank = lora.table[f].rank;
        const float *m = back ? lora.table[f].a : lora.turned + f * lora.stride * lora.out;
        const bool vector_m = vectors(m, columns);
        for (int k0 = 0; k0 < rank; k0 += OUTER_RANKS) {
            __syncthreads();
            for (int i = threadIdx.x; i < OUTER_RANKS * OUTER_ROWS; i += OUTER_THREADS) {
                int row = i / OUTER_RANKS, k = i % OUTER_RANKS;
                u[k][row] = row >= from && row < end && k0 + k < rank ? left[(first + row) * lora.stride + k0 + k] : 0;
            }
            __syncthreads();
            if (c < columns) {
#pragma unroll 4
                for (int k = 0; k < min(rank - k0, (int)OUTER_RANKS); k++) {
                    const float4 v = load4(m + (k0 + k) * columns, c, columns, vector_m);
#pragma unroll
                    for (int i = 0; i < OUTER_ROWS; i++) {
                        const float w = u[k][i];
                        sums[i] = make_float4(fmaf(w, v.x, sums[i].x), fmaf(w, v.y, sums[i].y), fmaf(w, v.z, sums[i].z), fmaf(w, v.w, sums[i].w));
                    }
                }
            }
        }
#pragma unroll
        for (int i = 0; i < OUTER_ROWS; i++) {
            if (i >= from && i < end && c < columns) {
                const int64_t at = (first + i) * columns + c;
                const float4 all = back && lora.threshold != 0 ? drop(sums[i], kept_before(lora, at), factor) : sums[i];
                if (vector_to) {
                    const float4 before = fetch4(to + at);
                    store4(to + at, make_float4(before.x + all.x, before.y + all.y, before.z + all.z, before.w + all.w));
                } else {
                    const float each[4] = {all.x, all.y, all.z, all.w};
                    for (int e = 0; e < 4 && c + e < columns; e++) {
                        store(to + at + e, widen(to[at + e]) + each[e]);
                    }
                }
            }
        }
    }
}

/* Where the sums of a piece go. */
INLINE float *partial_of(const lora_spans &lora, bool of_b, int64_t f, int64_t piece) {
    float *p = lora.partial + (of_b ? lora.count * lora.pieces * lora.stride * lora.in : 0);
    return p + (f * lora.pieces + piece) * lora.stride * (of_b ? lora.out : lora.in);
}

/* Grid: a block's fours of columns, pieces of a span, adapters times eights of ranks times {A, B}. A thread has four columns and eight ranks. */
template <typename T> INLINE void pieces_body(const T *x, const T *dy, const lora_spans &lora) {
    __shared__ __align__(16) float u[MOST_PIECE][EIGHT];
    const int64_t eights = lora.stride / EIGHT;
    const int64_t first_rank = blockIdx.z / 2 % eights * EIGHT;
    const int64_t f = blockIdx.z / 2 / eights;
    const bool of_b = blockIdx.z % 2 == 1;
    const span rows = span_of(lora, f);
    const int64_t first = rows.from + blockIdx.y * lora.piece;
    const int64_t columns = of_b ? lora.out : lora.in;
    const int64_t c = (blockIdx.x * (int64_t)blockDim.x + threadIdx.x) * 4;
    const float factor = __uint_as_float((uint32_t)lora.factor);
    if (first >= rows.to || blockIdx.x * (int64_t)blockDim.x * 4 >= columns || first_rank >= lora.table[f].rank) {
        return;
    }
    const int count = (int)min(lora.piece, rows.to - first);
    const float *from = (of_b ? lora.low : lora.t) + first * lora.stride + first_rank;
    for (int i = threadIdx.x; i < count * EIGHT; i += blockDim.x) {
        u[i / EIGHT][i % EIGHT] = from[i / EIGHT * lora.stride + i % EIGHT];
    }
    __syncthreads();
    if (c >= columns) {
        return;
    }
    const T *v = (of_b ? dy : x) + first * columns;
    const bool vector_v = vectors(v, columns), dropped = !of_b && lora.threshold != 0;
    float4 sums[EIGHT];
#pragma unroll
    for (int k = 0; k < EIGHT; k++) {
        sums[k] = make_float4(0, 0, 0, 0);
    }
#pragma unroll 8
    for (int i = 0; i < count; i++) {
        float4 row = load4(v + i * columns, c, columns, vector_v);
        if (dropped) {
            row = drop(row, kept_before(lora, (first + i) * columns + c), factor);
        }
        const float4 low = *(const float4 *)u[i], high = *(const float4 *)(u[i] + 4);
        const float w[EIGHT] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
        for (int k = 0; k < EIGHT; k++) {
            sums[k] = make_float4(fmaf(w[k], row.x, sums[k].x), fmaf(w[k], row.y, sums[k].y), fmaf(w[k], row.z, sums[k].z), fmaf(w[k], row.w, sums[k].w));
        }
    }
    float *to = partial_of(lora, of_b, f, blockIdx.y) + first_rank * columns + c;
    const bool vector_to = vectors(to, columns);
#pragma unroll
    for (int k = 0; k < EIGHT; k++) {
        if (vector_to) {
            store4(to + k * columns, sums[k]);
        } else {
            const float each[4] = {sums[k].x, sums[k].y, sums[k].z, sums[k].w};
            for (int e = 0; e < 4 && c + e < columns; e++) {
                to[k * columns + e] = each[e];
            }
        }
    }
}

/* Grid: 256s of columns, adapters times stride, {A, B}. */
KERNEL lora_gradients(lora_spans lora) {
    const int64_t f = blockIdx.y / lora.stride, k = blockIdx.y % lora.stride;
    const bool of_b = blockIdx.z == 1;
    const int64_t columns = of_b ? lora.out : lora.in;
    const int64_t c = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
    const int rank = lora.table[f].rank;
    if (k >= rank || c >= columns) {
        return;
    }
    const span rows = span_of(lora, f);
    const lora_factor to = lora.table[lora.count + f];
    const float *partial = partial_of(lora, of_b, f, 0) + k * columns + c;
    float sum = 0;
#pragma unroll 8
    for (int64_t piece = 0; piece < ceil_div(rows.to - rows.from, lora.piece); piece++) {
        sum += partial[piece * lora.stride * columns];
    }
    float *at = of_b ? (float *)to.b + lora_row(c, lora.head_dim) * rank + k : (float *)to.a + k * columns + c;
    *at += sum;
}

#define TYPED(NAME, T)                                                                                                                              \
    KERNEL __launch_bounds__(LOW_THREADS, 3) lora_low_##NAME(const T *x, const T *dy, lora_spans lora) {                                            \
        low_body(x, dy, lora);                                                                                                                      \
    }                                                                                                                                               \
    KERNEL __launch_bounds__(OUTER_THREADS) lora_outer_##NAME(T *to, int back, lora_spans lora) {                                                   \
        outer_body(to, back != 0, lora);                                                                                                            \
    }                                                                                                                                               \
    KERNEL __launch_bounds__(PIECE_THREADS) lora_pieces_##NAME(const T *x, const T *dy, lora_spans lora) {                                          \
        pieces_body(x, dy, lora);                                                                                                                   \
    }

TYPED(f32, float)
TYPED(bf16, uint16_t)
