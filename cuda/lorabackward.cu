/*
 * LoRA backwards, a span of rows an adapter: with low = scale x A^T and t = scale dy B, dx = t A, dA += t^T x, dB += dy^T low.
 *
 * Five launches for all spans. lora_turn lays each B out as A lies, [rank, out], in the order of dy's columns, so that low and t are one
 * kernel's (lora_low_spans); lora_dx; then the sums over rows, in pieces of a span (lora_pieces) that lora_gradients adds in their order.
 *
 * Bytes: x and dy are read twice, dx is written: 4 n (3 in + 2 out), and A once for every 8 or 16 rows, from the second cache. Flops:
 * 8 r (in + out) a row or so, in f32.
 *
 * Bits: low and t are sums over columns, cut by 128 threads' shares of four; pieces begin at a span's first row. No row and no span
 * depends on another.
 */
#include "lora.cuh"
#include "ptx.cuh"

enum { EIGHT = 8, LOW_THREADS = 128, DX_THREADS = 128, DX_ROWS = 16, DX_RANKS = 32, PIECE = 64, PIECE_THREADS = 128 };

/* The last parameter of every kernel; its fields are passed as so many 64-bit parameters. */
struct lora_spans {
    const lora_factor *table; /* [2 count]: factors, then where their gradients go */
    int64_t count;
    const int32_t *spans; /* [count, 2] */
    int64_t n, in, out, head_dim;
    int64_t stride;  /* a multiple of eight, at least the largest rank */
    int64_t pieces;  /* of the longest span */
    float *turned;   /* [count, stride, out] */
    float *low;      /* [n, stride] */
    float *t;        /* [n, stride] */
    float *partial;  /* [count, pieces, stride, in], then [count, pieces, stride, out] */
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

template <int N> INLINE void load(float to[N], const float *from) {
    if (N == 4) {
        *(float4 *)to = __ldg((const float4 *)from);
    } else {
        to[0] = __ldg(from);
    }
}

/* Eight rows of v times eight of m, both of so many columns: every thread's share, of N columns at a time. */
template <int N> INLINE void dots(float sums[64], const float *__restrict__ v, int rows, const float *__restrict__ m, int ranks, int columns) {
    for (int c = threadIdx.x * N; c < columns; c += LOW_THREADS * N) {
        float r[EIGHT][N];
#pragma unroll
        for (int i = 0; i < EIGHT; i++) {
            load<N>(r[i], v + min(i, rows - 1) * columns + c);
        }
#pragma unroll
        for (int k = 0; k < EIGHT; k++) {
            float a[N];
            load<N>(a, m + min(k, ranks - 1) * columns + c);
#pragma unroll
            for (int i = 0; i < EIGHT; i++) {
#pragma unroll
                for (int e = 0; e < N; e++) {
                    sums[i * EIGHT + k] = fmaf(r[i][e], a[e], sums[i * EIGHT + k]);
                }
            }
        }
    }
}

/* Grid: eights of a span's rows, adapters times eights of ranks, {low, t}. A warp has every fourth 128 columns of all of them. */
KERNEL __launch_bounds__(LOW_THREADS, 3) lora_low_spans(const float *x, const float *dy, lora_spans lora) {
    __shared__ float sums[LOW_THREADS / WARP][64];
    const int64_t eights = lora.stride / EIGHT;
    const int64_t f = blockIdx.y / eights;
    const int first_rank = (int)(blockIdx.y % eights) * EIGHT;
    const span rows = span_of(lora, f);
    const lora_factor factor = lora.table[f];
    const int64_t first = rows.from + blockIdx.x * (int64_t)EIGHT;
    if (first >= rows.to) {
        return;
    }
    const int64_t columns = blockIdx.z == 0 ? lora.in : lora.out;
    const float *v = blockIdx.z == 0 ? x : dy;
    const float *m = blockIdx.z == 0 ? factor.a : lora.turned + f * lora.stride * lora.out;
    float *to = blockIdx.z == 0 ? lora.low : lora.t;
    const int left = (int)(rows.to - first);
    const int ranks = factor.rank - first_rank;
    float v_m[64] = {};
    v += first * columns;
    m += first_rank * columns;
    if (ranks <= 0) { /* zeros */
    } else if (vectors(v, columns) && vectors(m, columns)) {
        dots<4>(v_m, v, left, m, ranks, (int)columns);
    } else {
        dots<1>(v_m, v, left, m, ranks, (int)columns);
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

INLINE void store4(float *row, int64_t c, int64_t n, bool vector, float4 v) {
    if (vector) {
        *(float4 *)(row + c) = v;
        return;
    }
    const float all[4] = {v.x, v.y, v.z, v.w};
    for (int i = 0; i < 4 && c + i < n; i++) {
        row[c + i] = all[i];
    }
}

/* Grid: 512s of in, sixteens of all rows, which may be of several spans and of none. A thread has four columns. */
KERNEL __launch_bounds__(DX_THREADS) lora_dx(float *dx, lora_spans lora) {
    __shared__ int of[DX_ROWS];
    __shared__ float t[DX_RANKS][DX_ROWS];
    const int64_t first = blockIdx.y * (int64_t)DX_ROWS;
    const int count = (int)min((int64_t)DX_ROWS, lora.n - first);
    const int64_t c = (blockIdx.x * (int64_t)DX_THREADS + threadIdx.x) * 4;
    const bool vector_dx = vectors(dx, lora.in);
    if (threadIdx.x < DX_ROWS) {
        of[threadIdx.x] = -1;
        for (int f = 0; f < lora.count; f++) {
            span s = span_of(lora, f);
            int64_t row = first + threadIdx.x;
            of[threadIdx.x] = row >= s.from && row < s.to ? f : of[threadIdx.x];
        }
    }
    __syncthreads();
    for (int from = 0, to; from < count; from = to) {
        const int f = of[from];
        for (to = from + 1; to < count && of[to] == f; to++) {
        }
        float4 sums[DX_ROWS];
#pragma unroll
        for (int i = 0; i < DX_ROWS; i++) {
            sums[i] = make_float4(0, 0, 0, 0);
        }
        const int rank = f < 0 ? 0 : lora.table[f].rank;
        const float *a = f < 0 ? nullptr : lora.table[f].a;
        const bool vector_a = vectors(a, lora.in);
        for (int k0 = 0; k0 < rank; k0 += DX_RANKS) {
            __syncthreads();
            for (int i = threadIdx.x; i < DX_RANKS * DX_ROWS; i += DX_THREADS) {
                int row = i / DX_RANKS, k = i % DX_RANKS;
                t[k][row] = row >= from && row < to && k0 + k < rank ? lora.t[(first + row) * lora.stride + k0 + k] : 0;
            }
            __syncthreads();
            if (c < lora.in) {
#pragma unroll 4
                for (int k = 0; k < min(rank - k0, (int)DX_RANKS); k++) {
                    float4 v = load4(a + (k0 + k) * lora.in, c, lora.in, vector_a);
#pragma unroll
                    for (int i = 0; i < DX_ROWS; i++) {
                        float w = t[k][i];
                        sums[i] = make_float4(fmaf(w, v.x, sums[i].x), fmaf(w, v.y, sums[i].y), fmaf(w, v.z, sums[i].z), fmaf(w, v.w, sums[i].w));
                    }
                }
            }
        }
#pragma unroll
        for (int i = 0; i < DX_ROWS; i++) {
            if (i >= from && i < to && c < lora.in) {
                store4(dx + (first + i) * lora.in, c, lora.in, vector_dx, sums[i]);
            }
        }
    }
}

/* Where the sums of a piece go. */
INLINE float *partial_of(const lora_spans &lora, bool of_b, int64_t f, int64_t piece) {
    float *p = lora.partial + (of_b ? lora.count * lora.pieces * lora.stride * lora.in : 0);
    return p + (f * lora.pieces + piece) * lora.stride * (of_b ? lora.out : lora.in);
}

/* Grid: 512s of columns, pieces of a span, adapters times eights of ranks times {A, B}. A thread has four columns and eight ranks. */
KERNEL __launch_bounds__(PIECE_THREADS) lora_pieces(const float *x, const float *dy, lora_spans lora) {
    __shared__ __align__(16) float u[PIECE][EIGHT];
    const int64_t eights = lora.stride / EIGHT;
    const int64_t first_rank = blockIdx.z / 2 % eights * EIGHT;
    const int64_t f = blockIdx.z / 2 / eights;
    const bool of_b = blockIdx.z % 2 == 1;
    const span rows = span_of(lora, f);
    const int64_t first = rows.from + blockIdx.y * (int64_t)PIECE;
    const int64_t columns = of_b ? lora.out : lora.in;
    const int64_t c = (blockIdx.x * (int64_t)PIECE_THREADS + threadIdx.x) * 4;
    if (first >= rows.to || blockIdx.x * (int64_t)PIECE_THREADS * 4 >= columns || first_rank >= lora.table[f].rank) {
        return;
    }
    const int count = (int)min((int64_t)PIECE, rows.to - first);
    const float *from = (of_b ? lora.low : lora.t) + first * lora.stride + first_rank;
    for (int i = threadIdx.x; i < PIECE * EIGHT; i += PIECE_THREADS) {
        u[i / EIGHT][i % EIGHT] = i / EIGHT < count ? from[i / EIGHT * lora.stride + i % EIGHT] : 0;
    }
    __syncthreads();
    if (c >= columns) {
        return;
    }
    const float *v = (of_b ? dy : x) + first * columns;
    const bool vector_v = vectors(v, columns);
    float4 sums[EIGHT];
#pragma unroll
    for (int k = 0; k < EIGHT; k++) {
        sums[k] = make_float4(0, 0, 0, 0);
    }
#pragma unroll 8
    for (int i = 0; i < count; i++) {
        float4 row = load4(v + i * columns, c, columns, vector_v);
        const float4 low = *(const float4 *)u[i], high = *(const float4 *)(u[i] + 4);
        const float w[EIGHT] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
        for (int k = 0; k < EIGHT; k++) {
            sums[k] = make_float4(fmaf(w[k], row.x, sums[k].x), fmaf(w[k], row.y, sums[k].y), fmaf(w[k], row.z, sums[k].z), fmaf(w[k], row.w, sums[k].w));
        }
    }
    float *to = partial_of(lora, of_b, f, blockIdx.y) + first_rank * columns;
    const bool vector_to = vectors(to, columns);
#pragma unroll
    for (int k = 0; k < EIGHT; k++) {
        store4(to + k * columns, c, columns, vector_to, sums[k]);
    }
}

/* Grid: 256s of columns, adapters times stride, {A, B}. */
KERNEL lora_gradients(lora_spans lora) {
    const int64_t f = blockIdx.y / lora.stride;
    const int64_t k = blockIdx.y % lora.stride;
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
    for (int64_t piece = 0; piece < ceil_div(rows.to - rows.from, PIECE); piece++) {
        sum += partial[piece * lora.stride * columns];
    }
    float *at = of_b ? (float *)to.b + lora_row(c, lora.head_dim) * rank + k : (float *)to.a + k * columns + c;
    *at += sum;
}
