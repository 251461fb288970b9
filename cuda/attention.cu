/*
 * out = softmax(softcap(scale q k^T)) v for many rows: prefill and encoders.
 *
 * A block takes a tile of M query vectors: consecutive rows, times the heads that share a key head. Keys come in blocks of KEYS
 * through shared memory, and the largest score, the sum of the weights and the weighted sum of values are carried from block to
 * block in registers (Milakov and Gimelshein, 2018; Dao et al., 2022). Everything is f32.
 *
 * Flops: 4 head_dim a row, head and key. Bytes: k and v once a tile, from L2 after the first. 256 threads = 16 (ty) x 16 (tx):
 * thread (ty, tx) has vectors ty + 16a, keys tx + 16b, and columns 4tx + 64c .. +3. A vector thus lies in one half-warp.
 *
 * Bits: blocks of keys start at the first key of the row's sequence, and a block without a key that the row sees changes nothing, so
 * a row's result depends on none of its tile's others. Rows of different sequences in one tile are done one sequence after the other.
 */
#include "attention.cuh"
#include "ptx.cuh"

enum { SIDE = 16, THREADS = SIDE * SIDE };

template <int D, int M, int KEYS> struct tile {
    static const int A = M / SIDE, B = KEYS / SIDE, C = D / (4 * SIDE);
    static const int ROW = D + 4, WEIGHTS = KEYS + 4; /* padded by 16 bytes: half-warps read different banks */

    /* Shared memory: queries, then keys or values, then weights. */
    static const int BYTES = 4 * (M * ROW + KEYS * ROW + M * WEIGHTS);

    float largest[A], total[A];
    float4 sums[A][C];
};

/* rows of d floats, D with zeros after, into shared memory; address(r) is row r, or null for zeros. */
template <int D, typename F> INLINE void load_rows(float *to, int count, int d, F address) {
    for (int i = threadIdx.x; i < count * D; i += THREADS) {
        int r = i / D, x = i % D;
        const float *row = address(r);
        to[r * (D + 4) + x] = row != nullptr && x < d ? row[x] : 0;
    }
}

INLINE float4 at4(const float *p) {
    return *(const float4 *)p;
}

INLINE float dot4(float4 a, float4 b, float sum) {
    sum = fmaf(a.x, b.x, sum);
    sum = fmaf(a.y, b.y, sum);
    sum = fmaf(a.z, b.z, sum);
    return fmaf(a.w, b.w, sum);
}

INLINE float4 add_scaled(float w, float4 v, float4 sum) {
    return make_float4(fmaf(w, v.x, sum.x), fmaf(w, v.y, sum.y), fmaf(w, v.z, sum.z), fmaf(w, v.w, sum.w));
}

/* Over the 16 threads of one ty. */
INLINE float side_max(float v) {
    for (int step = SIDE / 2; step > 0; step /= 2) {
        v = fmaxf(v, __shfl_xor_sync(~0u, v, step));
    }
    return v;
}

INLINE float side_sum(float v) {
    for (int step = SIDE / 2; step > 0; step /= 2) {
        v += __shfl_xor_sync(~0u, v, step);
    }
    return v;
}

/* One block of keys, whose first is key at: scores, new largest ones, weights into shared memory. */
template <int D, int M, int KEYS>
INLINE void weigh(tile<D, M, KEYS> &t, const float *queries, const float *keys, float *weights, const key_range *ranges, int at, const attention_shape &s) {
    typedef tile<D, M, KEYS> T;
    int ty = threadIdx.x / SIDE, tx = threadIdx.x % SIDE;
    float scores[T::A][T::B] = {};
#pragma unroll 4
    for (int x = 0; x < D; x += 4) {
        float4 q[T::A], k[T::B];
#pragma unroll
        for (int a = 0; a < T::A; a++) {
            q[a] = at4(queries + (ty + SIDE * a) * T::ROW + x);
        }
#pragma unroll
        for (int b = 0; b < T::B; b++) {
            k[b] = at4(keys + (tx + SIDE * b) * T::ROW + x);
        }
#pragma unroll
        for (int a = 0; a < T::A; a++) {
#pragma unroll
            for (int b = 0; b < T::B; b++) {
                scores[a][b] = dot4(q[a], k[b], scores[a][b]);
            }
        }
    }
#pragma unroll
    for (int a = 0; a < T::A; a++) {
        int item = ty + SIDE * a;
        key_range r = ranges[item];
        float now = -INFINITY;
#pragma unroll
        for (int b = 0; b < T::B; b++) {
            int key = at + tx + SIDE * b;
            scores[a][b] = score(scores[a][b], s);
            now = key >= r.from && key < r.to ? fmaxf(now, scores[a][b]) : now;
        }
        now = fmaxf(t.largest[a], side_max(now));
        float factor = rescale(t.largest[a], now);
        t.largest[a] = now;
        float total = 0;
#pragma unroll
        for (int b = 0; b < T::B; b++) {
            int key = at + tx + SIDE * b;
            float w = key >= r.from && key < r.to ? expf(scores[a][b] - now) : 0;
            weights[item * T::WEIGHTS + tx + SIDE * b] = w;
            total += w;
        }
        t.total[a] = fmaf(t.total[a], factor, side_sum(total));
#pragma unroll
        for (int c = 0; c < T::C; c++) {
            float4 v = t.sums[a][c];
            t.sums[a][c] = make_float4(v.x * factor, v.y * factor, v.z * factor, v.w * factor);
        }
    }
}

/* sums += weights values */
template <int D, int M, int KEYS> INLINE void add_values(tile<D, M, KEYS> &t, const float *values, const float *weights) {
    typedef tile<D, M, KEYS> T;
    int ty = threadIdx.x / SIDE, tx = threadIdx.x % SIDE;
#pragma unroll 2
    for (int key = 0; key < KEYS; key += 4) {
        float4 w[T::A];
#pragma unroll
        for (int a = 0; a < T::A; a++) {
            w[a] = at4(weights + (ty + SIDE * a) * T::WEIGHTS + key);
        }
#pragma unroll
        for (int c = 0; c < T::C; c++) {
            const float *column = values + key * T::ROW + 4 * tx + 4 * SIDE * c;
            float4 v0 = at4(column), v1 = at4(column + T::ROW), v2 = at4(column + 2 * T::ROW), v3 = at4(column + 3 * T::ROW);
#pragma unroll
            for (int a = 0; a < T::A; a++) {
                float4 sum = add_scaled(w[a].x, v0, t.sums[a][c]);
                sum = add_scaled(w[a].y, v1, sum);
                sum = add_scaled(w[a].z, v2, sum);
                t.sums[a][c] = add_scaled(w[a].w, v3, sum);
            }
        }
    }
}

/* Rows [first, last) of one sequence; ranges are empty for all other vectors of the tile. */
template <int D, int M, int KEYS>
INLINE void one_sequence(float *shared, const key_range *ranges, float *out, const float *k, const float *v, int64_t first, int rows,
                         key_range all, const attention_shape &s) {
    typedef tile<D, M, KEYS> T;
    float *queries = shared, *keys = queries + M * T::ROW, *weights = keys + KEYS * T::ROW;
    int group = s.heads / s.kv_heads, d = s.head_dim;
    int64_t kv_cols = (int64_t)s.kv_heads * d;
    int64_t column = (int64_t)blockIdx.y * d;
    T t;
#pragma unroll
    for (int a = 0; a < T::A; a++) {
        t.largest[a] = -INFINITY;
        t.total[a] = 0;
#pragma unroll
        for (int c = 0; c < T::C; c++) {
            t.sums[a][c] = make_float4(0, 0, 0, 0);
        }
    }
    for (int at = all.base + (all.from - all.base) / KEYS * KEYS; at < all.to; at += KEYS) {
        __syncthreads(); /* the values of the block before have been read */
        load_rows<D>(keys, KEYS, d, [&](int r) { return at + r < all.to ? k + (at + r) * kv_cols + column : nullptr; });
        __syncthreads();
        weigh<D, M, KEYS>(t, queries, keys, weights, ranges, at, s);
        __syncthreads();
        load_rows<D>(keys, KEYS, d, [&](int r) { return at + r < all.to ? v + (at + r) * kv_cols + column : nullptr; });
        __syncthreads();
        add_values<D, M, KEYS>(t, keys, weights);
    }
    int ty = threadIdx.x / SIDE, tx = threadIdx.x % SIDE;
#pragma unroll
    for (int a = 0; a < T::A; a++) {
        int item = ty + SIDE * a;
        if (item >= rows * group || ranges[item].to == 0) {
            continue;
        }
        float *to = out + ((first + item / group) * s.heads + blockIdx.y * group + item % group) * d;
#pragma unroll
        for (int c = 0; c < T::C; c++) {
            int x = 4 * tx + 4 * SIDE * c;
            float4 sum = t.sums[a][c];
            float value[4] = {sum.x, sum.y, sum.z, sum.w};
#pragma unroll
            for (int i = 0; i < 4; i++) {
                if (x + i < d) {
                    to[x + i] = value[i] / t.total[a];
                }
            }
        }
    }
}

/* grid = (tiles of M / group rows, kv_heads); group = heads / kv_heads <= M, head_dim <= D */
template <int D, int M, int KEYS>
INLINE void prefill(float *out, const float *q, int64_t n, const float *k, const float *v, const int *ranges, const attention_shape &s, int *fault) {
    typedef tile<D, M, KEYS> T;
    DYNAMIC_SHARED(memory);
    float *shared = (float *)memory;
    __shared__ key_range row_keys[M], keys[M];
    int group = s.heads / s.kv_heads, d = s.head_dim, tile_rows = M / group;
    int64_t first = (gridDim.x - 1 - (int64_t)blockIdx.x) * tile_rows; /* later rows see more keys: begin with them */
    int rows = (int)min((int64_t)tile_rows, n - first);
    if (threadIdx.x < rows) {
        row_keys[threadIdx.x] = keys_of(ranges, first + threadIdx.x, s, fault);
    }
    load_rows<D>(shared, M, d, [&](int item) {
        return item < rows * group ? q + ((first + item / group) * s.heads + blockIdx.y * group + item % group) * d : nullptr;
    });
    __syncthreads();
    for (int from = 0; from < rows;) {
        key_range all = row_keys[from];
        int to = from + 1;
        for (; to < rows && row_keys[to].base == all.base; to++) {
            key_range r = row_keys[to];
            all.from = r.to > 0 ? min(all.from, r.from) : all.from;
            all.to = max(all.to, r.to);
        }
        __syncthreads(); /* the ranges of the sequence before have been read */
        if (threadIdx.x < M) {
            int row = threadIdx.x / group;
            keys[threadIdx.x] = row >= from && row < to ? row_keys[row] : key_range{0, 0, 0};
        }
        __syncthreads();
        one_sequence<D, M, KEYS>(shared, keys, out, k, v, first, rows, all, s);
        from = to;
    }
}

#define DEFINE_PREFILL(name, D, M, KEYS)                                                                                                           \
    KERNEL __launch_bounds__(THREADS)                                                                                                              \
        name(float *out, const float *q, int64_t n, const float *k, const float *v, int64_t kv_rows, const int *ranges, int heads, int kv_heads,   \
             int head_dim, int window, float scale, float softcap, int *fault) {                                                                   \
        prefill<D, M, KEYS>(out, q, n, k, v, ranges, {kv_rows, heads, kv_heads, head_dim, window, scale, softcap}, fault);                         \
    }

/* CudaAttention knows these sizes too. */
DEFINE_PREFILL(attention_64, 64, 64, 64)
DEFINE_PREFILL(attention_128, 128, 64, 64)
DEFINE_PREFILL(attention_256, 256, 32, 32)
