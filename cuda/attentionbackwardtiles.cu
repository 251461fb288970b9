/*
 * Attention backwards (attentionbackward.cu) on the tensor cores, for models in bf16: what is multiplied is rounded to bf16, sums and the
 * softmax are f32. head_dim is a multiple of 16, all tensors start at multiples of 16 bytes.
 *
 * As there, two launches: tiles of 64 query vectors go over their keys by 32, twice; tiles of 64 keys over the query vectors that see
 * them by 32. Four warps have 16 rows of a tile each, and all of what they are multiplied by. Scores stay in registers: what one product
 * leaves in a thread is what the next wants there.
 *
 * Flops: 16 head_dim a row, head and key. Threads: with g = lane / 4 and t = lane % 4, a thread has rows g and g + 8 of its warp's 16,
 * columns 2t, 2t + 1 of each 8. Shared memory: rows padded by 16 bytes so that eight rows lie in different banks.
 *
 * Bits: blocks of keys, and of query vectors, start at the first of a sequence; rows of different sequences in a tile are done one
 * sequence after the other, and pairs that do not see each other add 0. No sequence depends on another.
 */
#include "attentionbackward.cuh"

enum { ROWS = 64, COLUMNS = 32, THREADS = 128 };

template <int D> struct halves {
    enum { PITCH = 2 * D + 16, TALL = ROWS * PITCH, WIDE = COLUMNS * PITCH, SHARED = 2 * TALL + 2 * WIDE, STEPS = D / 16 };
};

/* `count` rows of d floats, as bf16; address(r) is row r, or null for zeros. */
template <int D, typename F> INLINE void load_rows(uint8_t *to, int count, int d, F address) {
    for (int i = threadIdx.x; i < count * (D / 4); i += THREADS) {
        const int r = i / (D / 4), x = i % (D / 4) * 4;
        const float *row = address(r);
        const float4 v = row != nullptr && x < d ? *(const float4 *)(row + x) : make_float4(0, 0, 0, 0);
        *(uint2 *)(to + r * halves<D>::PITCH + x * 2) = make_uint2(pack_bf16(v.x, v.y), pack_bf16(v.z, v.w));
    }
}

/* sums [16][32] = a warp's 16 rows times 32 others */
template <int D> INLINE void dots(float sums[COLUMNS / 8][4], const uint8_t *rows, const uint8_t *columns) {
    const int lane = threadIdx.x % WARP;
    rows += (threadIdx.x / WARP * 16 + lane % 16) * halves<D>::PITCH + lane / 16 * 16;
    columns += (lane % 8 + lane / 16 * 8) * halves<D>::PITCH + lane / 8 % 2 * 16;
#pragma unroll
    for (int i = 0; i < COLUMNS / 2; i++) {
        sums[i / 4][i % 4] = 0;
    }
#pragma unroll
    for (int step = 0; step < halves<D>::STEPS; step++) {
        const uint4 a = load_matrices(rows + step * 32);
#pragma unroll
        for (int j = 0; j < COLUMNS / 16; j++) {
            const uint4 b = load_matrices(columns + j * 16 * halves<D>::PITCH + step * 32);
            mma(sums[2 * j], a, b.x, b.y);
            mma(sums[2 * j + 1], a, b.z, b.w);
        }
    }
}

/* sums [16][D] += weights [16][32] m [32][D] */
template <int D> INLINE void add_products(float sums[D / 8][4], const float weights[COLUMNS / 8][4], const uint8_t *m) {
    const int lane = threadIdx.x % WARP;
    m += lane % 16 * halves<D>::PITCH + lane / 16 * 16;
#pragma unroll
    for (int s = 0; s < COLUMNS / 16; s++) {
        const float(*w)[4] = weights + 2 * s;
        const uint4 a = make_uint4(pack_bf16(w[0][0], w[0][1]), pack_bf16(w[0][2], w[0][3]), pack_bf16(w[1][0], w[1][1]), pack_bf16(w[1][2], w[1][3]));
#pragma unroll
        for (int c = 0; c < D / 16; c++) {
            const uint4 b = load_matrices_transposed(m + s * 16 * halves<D>::PITCH + c * 32);
            mma(sums[2 * c], a, b.x, b.y);
            mma(sums[2 * c + 1], a, b.z, b.w);
        }
    }
}

/* Columns below d of row h (of two) of a thread. */
template <int D> INLINE void store_row(float *row, int d, const float sums[D / 8][4], int h) {
#pragma unroll
    for (int c = 0; c < D / 8; c++) {
        const int x = c * 8 + threadIdx.x % 4 * 2;
        if (x < d) {
            *(float2 *)(row + x) = make_float2(sums[c][2 * h], sums[c][2 * h + 1]);
        }
    }
}

INLINE float quad_max(float v) {
    v = fmaxf(v, __shfl_xor_sync(~0u, v, 1));
    return fmaxf(v, __shfl_xor_sync(~0u, v, 2));
}

INLINE float quad_sum(float v) {
    v += __shfl_xor_sync(~0u, v, 1);
    return v + __shfl_xor_sync(~0u, v, 2);
}

/* Which row of a tile a thread's row h is, and which column of 32 its element (j, i). */
INLINE int row_of(int h) {
    return threadIdx.x / WARP * 16 + threadIdx.x % WARP / 4 + 8 * h;
}

INLINE int column_of(int j, int i) {
    return j * 8 + threadIdx.x % 4 * 2 + i % 2;
}

INLINE int64_t vector_at(int64_t first, int item, const attention_shape &s) {
    int group = s.heads / s.kv_heads;
    return ((first + item / group) * s.heads + blockIdx.y * group + item % group) * s.head_dim;
}

/* Rows of one sequence; ranges are empty for all other vectors of the tile. */
template <int D>
INLINE void one_sequence(uint8_t *shared, const key_range *ranges, const float *deltas, int64_t first, key_range all, const attention_tensors &t, const attention_shape &s) {
    typedef halves<D> H;
    const uint8_t *q = shared, *dout = shared + H::TALL;
    uint8_t *k = shared + 2 * H::TALL, *v = k + H::WIDE;
    const int64_t kv_cols = (int64_t)s.kv_heads * s.head_dim, column = (int64_t)blockIdx.y * s.head_dim;
    const int begin = all.base + (all.from - all.base) / COLUMNS * COLUMNS;
    const key_range mine[2] = {ranges[row_of(0)], ranges[row_of(1)]};
    float largest[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0}, dot[COLUMNS / 8][4], dp[COLUMNS / 8][4];
    auto rows_of = [&](const float *m, int at) { return [=](int r) { return at + r < all.to ? m + (at + r) * kv_cols + column : nullptr; }; };

    for (int at = begin; at < all.to; at += COLUMNS) {
        __syncthreads(); /* the keys before have been read */
        load_rows<D>(k, COLUMNS, s.head_dim, rows_of(t.k, at));
        __syncthreads();
        dots<D>(dot, q, k);
        float now[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};
#pragma unroll
        for (int e = 0; e < COLUMNS / 2; e++) {
            float &value = dot[e / 4][e % 4];
            value = sees(mine[e % 4 / 2], at + column_of(e / 4, e)) ? score(value, s) : -INFINITY;
            now[e % 4 / 2] = fmaxf(now[e % 4 / 2], value);
        }
#pragma unroll
        for (int h = 0; h < 2; h++) {
            now[h] = fmaxf(largest[h], quad_max(now[h]));
        }
#pragma unroll
        for (int e = 0; e < COLUMNS / 2; e++) {
            const float value = dot[e / 4][e % 4];
            sum[e % 4 / 2] += value == -INFINITY ? 0 : expf(value - now[e % 4 / 2]);
        }
#pragma unroll
        for (int h = 0; h < 2; h++) {
            total[h] = fmaf(total[h], rescale(largest[h], now[h]), quad_sum(sum[h]));
            largest[h] = now[h];
        }
    }
    const float log_sums[2] = {largest[0] + logf(total[0]), largest[1] + logf(total[1])};

    float sums[D / 8][4] = {};
    for (int at = begin; at < all.to; at += COLUMNS) {
        __syncthreads();
        load_rows<D>(k, COLUMNS, s.head_dim, rows_of(t.k, at));
        load_rows<D>(v, COLUMNS, s.head_dim, rows_of(t.v, at));
        __syncthreads();
        dots<D>(dot, q, k);
        dots<D>(dp, dout, v);
#pragma unroll
        for (int e = 0; e < COLUMNS / 2; e++) {
            const int h = e % 4 / 2;
            float p, ds;
            pair(dot[e / 4][e % 4], dp[e / 4][e % 4], log_sums[h], deltas[row_of(h)], s, p, ds);
            dot[e / 4][e % 4] = sees(mine[h], at + column_of(e / 4, e)) ? ds : 0;
        }
        add_products<D>(sums, dot, k);
    }
#pragma unroll
    for (int h = 0; h < 2; h++) {
        if (mine[h].to > 0) {
            const int64_t to = vector_at(first, row_of(h), s);
            store_row<D>(t.dq + to, s.head_dim, sums, h);
            if (threadIdx.x % 4 == 0) {
                t.log_sums[to / s.head_dim] = log_sums[h];
                t.deltas[to / s.head_dim] = deltas[row_of(h)];
            }
        }
    }
}

/* Grid: tiles of 64 / group rows, key heads; group = heads / kv_heads <= 32, head_dim <= D. */
template <int D> INLINE void dq_body(const attention_tensors &t, const attention_shape &s) {
    DYNAMIC_SHARED(shared);
    __shared__ key_range row_keys[ROWS], keys[ROWS];
    __shared__ float deltas[ROWS];
    const int group = s.heads / s.kv_heads, tile_rows = ROWS / group;
    const int64_t first = (gridDim.x - 1 - (int64_t)blockIdx.x) * tile_rows; /* later rows see more keys: begin with them */
    const int rows = (int)min((int64_t)tile_rows, t.n - first);
    if (threadIdx.x < rows) {
        row_keys[threadIdx.x] = keys_of(t.ranges, first + threadIdx.x, s, t.fault);
    }
    auto vectors_of = [&](const float *m) { return [=](int item) { return item < rows * group ? m + vector_at(first, item, s) : nullptr; }; };
    load_rows<D>(shared, ROWS, s.head_dim, vectors_of(t.q));
    load_rows<D>(shared + halves<D>::TALL, ROWS, s.head_dim, vectors_of(t.dout));
    for (int item = threadIdx.x / WARP; item < ROWS; item += THREADS / WARP) {
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
        if (threadIdx.x < ROWS) {
            int row = threadIdx.x / group;
            keys[threadIdx.x] = row >= from && row < to ? row_keys[row] : key_range{0, 0, 0};
        }
        __syncthreads();
        one_sequence<D>(shared, keys, deltas, first, all, t, s);
    }
}

/* Grid: tiles of 64 keys, key heads. */
template <int D> INLINE void dkv_body(const attention_tensors &t, const attention_shape &s) {
    typedef halves<D> H;
    DYNAMIC_SHARED(k);
    uint8_t *v = k + H::TALL, *q = v + H::TALL, *dout = q + H::WIDE;
    __shared__ key_range keys[COLUMNS];
    __shared__ float log_sums[COLUMNS], deltas[COLUMNS];
    __shared__ int2 seen[ROWS];
    __shared__ int bases[ROWS];
    const int group = s.heads / s.kv_heads, tile_rows = COLUMNS / group;
    const int first_key = blockIdx.x * ROWS;
    const int count = (int)min((int64_t)ROWS, t.n - first_key);
    auto keys_at = [&](const float *m) { return [=](int r) { return r < count ? m + ((int64_t)(first_key + r) * s.kv_heads + blockIdx.y) * s.head_dim : nullptr; }; };
    load_rows<D>(k, ROWS, s.head_dim, keys_at(t.k));
    load_rows<D>(v, ROWS, s.head_dim, keys_at(t.v));
    if (threadIdx.x < count) {
        seen[threadIdx.x] = seen_by(t, first_key + threadIdx.x);
        bases[threadIdx.x] = keys_of(t.ranges, first_key + threadIdx.x, s, t.fault).base;
    }
    __syncthreads();
    float dk[D / 8][4] = {}, dv[D / 8][4] = {}, dot[COLUMNS / 8][4], dp[COLUMNS / 8][4];
    for (int begin = 0, end; begin < count; begin = end) {
        const int base = bases[begin];
        int from = INT32_MAX, to = 0;
        for (end = begin; end < count && bases[end] == base; end++) {
            from = seen[end].x < seen[end].y ? min(from, seen[end].x) : from;
            to = max(to, seen[end].y);
        }
        for (int first = from < to ? base + (from - base) / tile_rows * tile_rows : to; first < to; first += tile_rows) {
            const int rows = min(tile_rows, to - first);
            auto vectors_of = [&](const float *m) { return [=](int item) { return item < rows * group ? m + vector_at(first, item, s) : nullptr; }; };
            __syncthreads(); /* the queries before have been read */
            load_rows<D>(q, COLUMNS, s.head_dim, vectors_of(t.q));
            load_rows<D>(dout, COLUMNS, s.head_dim, vectors_of(t.dout));
            if (threadIdx.x < COLUMNS) {
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
            for (int e = 0; e < COLUMNS / 2; e++) {
                const int item = column_of(e / 4, e), row = row_of(e % 4 / 2);
                float p, ds;
                pair(dot[e / 4][e % 4], dp[e / 4][e % 4], log_sums[item], deltas[item], s, p, ds);
                const bool counts = row >= begin && row < end && sees(keys[item], first_key + row);
                dot[e / 4][e % 4] = counts ? p : 0;
                dp[e / 4][e % 4] = counts ? ds : 0;
            }
            add_products<D>(dv, dot, dout);
            add_products<D>(dk, dp, q);
        }
    }
#pragma unroll
    for (int h = 0; h < 2; h++) {
        if (row_of(h) < count) {
            const int64_t at = ((int64_t)(first_key + row_of(h)) * s.kv_heads + blockIdx.y) * s.head_dim;
            store_row<D>(t.dk + at, s.head_dim, dk, h);
            store_row<D>(t.dv + at, s.head_dim, dv, h);
        }
    }
}

/* CudaAttentionBackward knows these sizes too. */
#define DEFINE_BACKWARD(D)                                                                                                                          \
    KERNEL __launch_bounds__(THREADS, D == 64 ? 3 : 2)                                                                                              \
        attention_half_dq_##D(int heads, int kv_heads, int head_dim, int window, float scale, float softcap, attention_tensors t) {                 \
        dq_body<D>(t, {t.n, heads, kv_heads, head_dim, window, scale, softcap});                                                                    \
    }                                                                                                                                               \
    KERNEL __launch_bounds__(THREADS, D == 64 ? 3 : 2)                                                                                              \
        attention_half_dkv_##D(int heads, int kv_heads, int head_dim, int window, float scale, float softcap, attention_tensors t) {                \
        dkv_body<D>(t, {t.n, heads, kv_heads, head_dim, window, scale, softcap});                                                                   \
    }

DEFINE_BACKWARD(64)
DEFINE_BACKWARD(128)
