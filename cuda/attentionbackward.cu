/*
 * Attention backwards, probabilities computed anew (Dao 2023, section 2.3). With s the scores, p = exp(s - log of the row's sum) and
 * dp = dout v^T: ds = p (dp - delta), delta the row's dout . out; dq = scale ds k, dk = scale ds^T q, dv = p^T dout, ds of a capped score
 * through the cap.
 *
 * Two launches. attention_dq has a tile of 32 query vectors (consecutive rows, times the heads that share a key head) and goes over their
 * keys twice, by 32: for the sums, which it leaves with delta for the other, and for dq. attention_dkv has a tile of 32 keys and goes over
 * the queries that see them. Everything is f32.
 *
 * Flops: 16 head_dim a row, head and key. 256 threads = 16 (ty) x 16 (tx): thread (ty, tx) has rows ty and ty + 16 of a tile, columns tx
 * and tx + 16 of scores, 4tx + 64c .. +3 of sums.
 *
 * Bits: blocks of keys start at the first key of a sequence, rows of different sequences in a tile are done one sequence after the other,
 * and sums over queries go on in their order, where those that do not see a key add 0. No sequence depends on another.
 */
#include "attentionbackward.cuh"

enum { SIDE = 16, THREADS = SIDE * SIDE, TILE = 32, WEIGHTS = TILE + 4 };

template <int D> struct pass {
    enum { C = (D + 63) / 64, ROW = D + 4, MATRIX = TILE * ROW }; /* padded by 16 bytes: half-warps read different banks */
};

template <int D, typename F> INLINE void load_rows(float *to, int d, F address) {
    for (int i = threadIdx.x; i < TILE * D; i += THREADS) {
        const float *row = address(i / D);
        to[i / D * pass<D>::ROW + i % D] = row != nullptr && i % D < d ? row[i % D] : 0;
    }
}

INLINE float4 at4(const float *p) {
    return *(const float4 *)p;
}

INLINE float4 add_scaled(float w, float4 v, float4 sum) {
    return make_float4(fmaf(w, v.x, sum.x), fmaf(w, v.y, sum.y), fmaf(w, v.z, sum.z), fmaf(w, v.w, sum.w));
}

/* Rows ty + 16a of one matrix times rows tx + 16b of another. */
template <int D> INLINE void dots(float sums[2][2], const float *rows, const float *columns) {
    const int ty = threadIdx.x / SIDE, tx = threadIdx.x % SIDE;
    sums[0][0] = sums[0][1] = sums[1][0] = sums[1][1] = 0;
#pragma unroll 4
    for (int x = 0; x < D; x += 4) {
        float4 r[2], c[2];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            r[i] = at4(rows + (ty + SIDE * i) * pass<D>::ROW + x);
            c[i] = at4(columns + (tx + SIDE * i) * pass<D>::ROW + x);
        }
#pragma unroll
        for (int a = 0; a < 2; a++) {
#pragma unroll
            for (int b = 0; b < 2; b++) {
                sums[a][b] = fmaf(r[a].w, c[b].w, fmaf(r[a].z, c[b].z, fmaf(r[a].y, c[b].y, fmaf(r[a].x, c[b].x, sums[a][b]))));
            }
        }
    }
}

/* sums += weights [32][32] m, in the order of m's rows */
template <int D> INLINE void add_products(float4 sums[2][pass<D>::C], const float *weights, const float *m) {
    const int ty = threadIdx.x / SIDE, tx = threadIdx.x % SIDE;
#pragma unroll 2
    for (int j = 0; j < TILE; j += 4) {
        const float4 w[2] = {at4(weights + ty * WEIGHTS + j), at4(weights + (ty + SIDE) * WEIGHTS + j)};
#pragma unroll
        for (int c = 0; c < pass<D>::C; c++) {
            const float *column = m + j * pass<D>::ROW + 4 * tx + 64 * c;
            const float4 v[4] = {at4(column), at4(column + pass<D>::ROW), at4(column + 2 * pass<D>::ROW), at4(column + 3 * pass<D>::ROW)};
#pragma unroll
            for (int a = 0; a < 2; a++) {
                float4 sum = add_scaled(w[a].x, v[0], sums[a][c]);
                sum = add_scaled(w[a].y, v[1], sum);
                sum = add_scaled(w[a].z, v[2], sum);
                sums[a][c] = add_scaled(w[a].w, v[3], sum);
            }
        }
    }
}

/* Columns below d of a thread's row a. */
template <int D> INLINE void store_row(float *row, int d, const float4 sums[pass<D>::C]) {
#pragma unroll
    for (int c = 0; c < pass<D>::C; c++) {
        const float v[4] = {sums[c].x, sums[c].y, sums[c].z, sums[c].w};
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int x = 4 * (threadIdx.x % SIDE) + 64 * c + i;
            if (x < d) {
                row[x] = v[i];
            }
        }
    }
}

template <int D> INLINE void clear(float4 sums[2][pass<D>::C]) {
#pragma unroll
    for (int i = 0; i < 2 * pass<D>::C; i++) {
        sums[i / pass<D>::C][i % pass<D>::C] = make_float4(0, 0, 0, 0);
    }
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

/* Where vector `item` of a tile that begins with row `first` is. */
INLINE int64_t vector_at(int64_t first, int item, const attention_shape &s) {
    int group = s.heads / s.kv_heads;
    return ((first + item / group) * s.heads + blockIdx.y * group + item % group) * s.head_dim;
}

/* Rows of one sequence; ranges are empty for all other vectors of the tile. */
template <int D>
INLINE void one_sequence(float *shared, const key_range *ranges, const float *deltas, int64_t first, key_range all, const attention_tensors &t, const attention_shape &s) {
    const float *q = shared, *dout = q + pass<D>::MATRIX;
    float *k = shared + 2 * pass<D>::MATRIX, *v = k + pass<D>::MATRIX, *weights = v + pass<D>::MATRIX;
    const int ty = threadIdx.x / SIDE, tx = threadIdx.x % SIDE;
    const int64_t kv_cols = (int64_t)s.kv_heads * s.head_dim, column = (int64_t)blockIdx.y * s.head_dim;
    const int begin = all.base + (all.from - all.base) / TILE * TILE;
    const key_range mine[2] = {ranges[ty], ranges[ty + SIDE]};
    float largest[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0}, dot[2][2], dp[2][2];
    auto rows_of = [&](const float *m, int at) { return [=](int r) { return at + r < all.to ? m + (at + r) * kv_cols + column : nullptr; }; };

    for (int at = begin; at < all.to; at += TILE) {
        __syncthreads(); /* the keys before have been read */
        load_rows<D>(k, s.head_dim, rows_of(t.k, at));
        __syncthreads();
        dots<D>(dot, q, k);
#pragma unroll
        for (int a = 0; a < 2; a++) {
            float now = -INFINITY;
#pragma unroll
            for (int b = 0; b < 2; b++) {
                dot[a][b] = score(dot[a][b], s);
                now = sees(mine[a], at + tx + SIDE * b) ? fmaxf(now, dot[a][b]) : now;
            }
            now = fmaxf(largest[a], side_max(now));
            float sum = 0;
#pragma unroll
            for (int b = 0; b < 2; b++) {
                sum += sees(mine[a], at + tx + SIDE * b) ? expf(dot[a][b] - now) : 0;
            }
            total[a] = fmaf(total[a], rescale(largest[a], now), side_sum(sum));
            largest[a] = now;
        }
    }
    const float log_sums[2] = {largest[0] + logf(total[0]), largest[1] + logf(total[1])};

    float4 sums[2][pass<D>::C];
    clear<D>(sums);
    for (int at = begin; at < all.to; at += TILE) {
        __syncthreads();
        load_rows<D>(k, s.head_dim, rows_of(t.k, at));
        load_rows<D>(v, s.head_dim, rows_of(t.v, at));
        __syncthreads();
        dots<D>(dot, q, k);
        dots<D>(dp, dout, v);
#pragma unroll
        for (int a = 0; a < 2; a++) {
#pragma unroll
            for (int b = 0; b < 2; b++) {
                float p, ds;
                pair(dot[a][b], dp[a][b], log_sums[a], deltas[ty + SIDE * a], s, p, ds);
                weights[(ty + SIDE * a) * WEIGHTS + tx + SIDE * b] = sees(mine[a], at + tx + SIDE * b) ? ds : 0;
            }
        }
        __syncthreads();
        add_products<D>(sums, weights, k);
    }
#pragma unroll
    for (int a = 0; a < 2; a++) {
        const int item = ty + SIDE * a;
        if (mine[a].to > 0) {
            const int64_t to = vector_at(first, item, s);
            store_row<D>(t.dq + to, s.head_dim, sums[a]);
            if (tx == 0) {
                t.log_sums[to / s.head_dim] = log_sums[a];
                t.deltas[to / s.head_dim] = deltas[item];
            }
        }
    }
}

/* Grid: tiles of 32 / group rows, key heads; group = heads / kv_heads <= 32, head_dim <= D. */
template <int D> INLINE void dq_body(const attention_tensors &t, const attention_shape &s) {
    DYNAMIC_SHARED(bytes);
    float *shared = (float *)bytes;
    __shared__ key_range row_keys[TILE], keys[TILE];
    __shared__ float deltas[TILE];
    const int group = s.heads / s.kv_heads, tile_rows = TILE / group;
    const int64_t first = (gridDim.x - 1 - (int64_t)blockIdx.x) * tile_rows; /* later rows see more keys: begin with them */
    const int rows = (int)min((int64_t)tile_rows, t.n - first);
    if (threadIdx.x < rows) {
        row_keys[threadIdx.x] = keys_of(t.ranges, first + threadIdx.x, s, t.fault);
    }
    auto vectors_of = [&](const float *m) { return [=](int item) { return item < rows * group ? m + vector_at(first, item, s) : nullptr; }; };
    load_rows<D>(shared, s.head_dim, vectors_of(t.q));
    load_rows<D>(shared + pass<D>::MATRIX, s.head_dim, vectors_of(t.dout));
    for (int item = threadIdx.x / WARP; item < TILE; item += THREADS / WARP) {
        float sum = 0;
        if (item < rows * group) {
            const int64_t at = vector_at(first, item, s);
            for (int x = threadIdx.x % WARP; x < s.head_dim; x += WARP) {
                sum = fmaf(t.dout[at + x], t.out[at + x], sum);
            }
        }
        deltas[item] = warp_sum(sum);
    }
    __syncthreads();
    for (int from = 0, to; from < rows; from = to) {
        key_range all = row_keys[from];
        for (to = from + 1; to < rows && row_keys[to].base == all.base; to++) {
            all.from = min(all.from, row_keys[to].from);
            all.to = max(all.to, row_keys[to].to);
        }
        __syncthreads(); /* the ranges of the sequence before have been read */
        if (threadIdx.x < TILE) {
            int row = threadIdx.x / group;
            keys[threadIdx.x] = row >= from && row < to ? row_keys[row] : key_range{0, 0, 0};
        }
        __syncthreads();
        one_sequence<D>(shared, keys, deltas, first, all, t, s);
    }
}

/* Grid: tiles of 32 keys, key heads. */
template <int D> INLINE void dkv_body(const attention_tensors &t, const attention_shape &s) {
    DYNAMIC_SHARED(bytes);
    float *k = (float *)bytes, *v = k + pass<D>::MATRIX, *q = v + pass<D>::MATRIX, *dout = q + pass<D>::MATRIX;
    float *weights = dout + pass<D>::MATRIX, *slopes = weights + TILE * WEIGHTS;
    __shared__ key_range keys[TILE];
    __shared__ float log_sums[TILE], deltas[TILE];
    __shared__ int2 seen[TILE];
    const int ty = threadIdx.x / SIDE, tx = threadIdx.x % SIDE;
    const int group = s.heads / s.kv_heads, tile_rows = TILE / group;
    const int64_t first_key = blockIdx.x * (int64_t)TILE;
    const int count = (int)min((int64_t)TILE, t.n - first_key);
    auto keys_at = [&](const float *m) { return [=](int r) { return r < count ? m + ((first_key + r) * s.kv_heads + blockIdx.y) * s.head_dim : nullptr; }; };
    load_rows<D>(k, s.head_dim, keys_at(t.k));
    load_rows<D>(v, s.head_dim, keys_at(t.v));
    if (threadIdx.x < TILE) {
        seen[threadIdx.x] = threadIdx.x < count ? seen_by(t, first_key + threadIdx.x) : make_int2(0, 0);
    }
    __syncthreads();
    int from = INT32_MAX, to = 0;
    for (int i = 0; i < count; i++) {
        from = seen[i].x < seen[i].y ? min(from, seen[i].x) : from;
        to = max(to, seen[i].y);
    }
    float4 dk[2][pass<D>::C], dv[2][pass<D>::C];
    float dot[2][2], dp[2][2];
    clear<D>(dk);
    clear<D>(dv);
    for (int first = from; first < to; first += tile_rows) {
        const int rows = min(tile_rows, to - first);
        auto vectors_of = [&](const float *m) { return [=](int item) { return item < rows * group ? m + vector_at(first, item, s) : nullptr; }; };
        __syncthreads(); /* the queries before have been read */
        load_rows<D>(q, s.head_dim, vectors_of(t.q));
        load_rows<D>(dout, s.head_dim, vectors_of(t.dout));
        if (threadIdx.x < TILE) {
            const int item = threadIdx.x;
            const bool any = item < rows * group;
            keys[item] = any ? keys_of(t.ranges, first + item / group, s, t.fault) : key_range{0, 0, 0};
            const int64_t at = any ? vector_at(first, item, s) / s.head_dim : 0;
            log_sums[item] = t.log_sums[at];
            deltas[item] = t.deltas[at];
        }
        __syncthreads();
        dots<D>(dot, k, q);
        dots<D>(dp, v, dout);
#pragma unroll
        for (int a = 0; a < 2; a++) {
#pragma unroll
            for (int b = 0; b < 2; b++) {
                const int key = ty + SIDE * a, item = tx + SIDE * b;
                float p, ds;
                pair(dot[a][b], dp[a][b], log_sums[item], deltas[item], s, p, ds);
                const bool counts = sees(keys[item], (int)(first_key + key));
                weights[key * WEIGHTS + item] = counts ? p : 0;
                slopes[key * WEIGHTS + item] = counts ? ds : 0;
            }
        }
        __syncthreads();
        add_products<D>(dv, weights, dout);
        add_products<D>(dk, slopes, q);
    }
#pragma unroll
    for (int a = 0; a < 2; a++) {
        if (ty + SIDE * a < count) {
            const int64_t at = ((first_key + ty + SIDE * a) * s.kv_heads + blockIdx.y) * s.head_dim;
            store_row<D>(t.dk + at, s.head_dim, dk[a]);
            store_row<D>(t.dv + at, s.head_dim, dv[a]);
        }
    }
}

/* CudaAttentionBackward knows these sizes too. Shared bytes: four matrices, and one or two tiles of weights. */
#define DEFINE_BACKWARD(D)                                                                                                                          \
    KERNEL __launch_bounds__(THREADS)                                                                                                               \
        attention_dq_##D(int heads, int kv_heads, int head_dim, int window, float scale, float softcap, attention_tensors t) {                      \
        dq_body<D>(t, {t.n, heads, kv_heads, head_dim, window, scale, softcap});                                                                    \
    }                                                                                                                                               \
    KERNEL __launch_bounds__(THREADS)                                                                                                               \
        attention_dkv_##D(int heads, int kv_heads, int head_dim, int window, float scale, float softcap, attention_tensors t) {                     \
        dkv_body<D>(t, {t.n, heads, kv_heads, head_dim, window, scale, softcap});                                                                   \
    }

DEFINE_BACKWARD(64)
DEFINE_BACKWARD(128)
DEFINE_BACKWARD(256)
