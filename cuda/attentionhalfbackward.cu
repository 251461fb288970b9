/*
 * Attention backwards on bf16 tensors (attentionhalf.cu is the forward). With p = softmax(softcap(scale q k^T)), dp = dout v^T:
 *
 *   ds = p * (dp - sum(dout * out)) * (1 - (capped / softcap)^2),  dq = scale ds k,  dk = scale ds^T q,  dv = p^T dout
 *
 * Two launches: tiles of 64 query vectors go over their keys by 64; then tiles of 64 keys over the query vectors that see them, by 64 or
 * 32. What is multiplied is bf16, sums and the softmax are f32.
 *
 * Flops: 14 head_dim a row, head and key. Bytes: 4 head_dim a key and tile and 4 head_dim a query vector and tile, from L2 after the first.
 *
 * Bits: tiles of keys, and of query vectors, start at the first of a sequence; rows of different sequences in a tile are done one
 * sequence after the other, and pairs that do not see each other add 0. No sequence depends on another.
 */
#include "attentionhalf.cuh"

/* Probabilities, in place of dot products, and scale * ds, in place of dp, of N columns; sums(e) is the log of element e's sum and the delta. */
template <int N, typename F> INLINE void gradients(float dot[N / 8][4], float dp[N / 8][4], const exponents &x, float scale, F sums) {
    if (x.cap == 0) {
#pragma unroll
        for (int e = 0; e < N / 2; e++) {
            const float2 sum = sums(e);
            const float p = exp2_approximate(fmaf(dot[e / 4][e % 4], x.factor, -sum.x));
            dot[e / 4][e % 4] = p;
            dp[e / 4][e % 4] = p * (dp[e / 4][e % 4] - sum.y) * scale;
        }
    } else {
#pragma unroll
        for (int e = 0; e < N / 2; e++) {
            const float2 sum = sums(e);
            const float tanh = tanhf(dot[e / 4][e % 4] * x.factor);
            const float p = exp2_approximate(fmaf(tanh, x.cap, -sum.x));
            dot[e / 4][e % 4] = p;
            dp[e / 4][e % 4] = p * (dp[e / 4][e % 4] - sum.y) * scale * (1 - tanh * tanh);
        }
    }
}

/* sum(dout * out) of each of a warp's vectors: two at once, 16 bytes a lane. */
template <int D> INLINE void multiply_out(float *deltas, const uint8_t *dout, const attention_half &t, const attention_shape &s, int64_t first, int items) {
    const int lane = threadIdx.x % WARP, x = lane % 16 * 8;
    for (int i = 0; i < 16; i += 2) {
        const int item = threadIdx.x / WARP * 16 + i + lane / 16;
        float sum = 0;
        if (item < items && x < s.head_dim) {
            const uint4 a = *(const uint4 *)(dout + item * tile<D>::PITCH + x * 2), b = __ldg((const uint4 *)(t.out + vector_at(first, item, s) + x));
            const uint32_t left[4] = {a.x, a.y, a.z, a.w}, right[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
            for (int j = 0; j < 4; j++) {
                sum = fmaf(__uint_as_float(left[j] << 16), __uint_as_float(right[j] << 16), sum);
                sum = fmaf(__uint_as_float(left[j] & 0xffff0000), __uint_as_float(right[j] & 0xffff0000), sum);
            }
        }
#pragma unroll
        for (int step = 8; step > 0; step /= 2) {
            sum += __shfl_xor_sync(~0u, sum, step);
        }
        if (lane % 16 == 0) {
            deltas[item] = sum;
        }
    }
}

/* Grid: tiles of 64 / group rows, key heads; head_dim <= D. */
template <int D> INLINE void dq_body(const attention_half &t, const attention_shape &s) {
    typedef tile<D> T;
    DYNAMIC_SHARED(shared);
    __shared__ key_range ranges[ROWS];
    __shared__ float deltas[ROWS];
    const int group = s.heads / s.kv_heads, tile_rows = ROWS / group;
    const int64_t kv_cols = (int64_t)s.kv_heads * s.head_dim, column = (int64_t)blockIdx.y * s.head_dim;
    const int64_t first = (gridDim.x - 1 - (int64_t)blockIdx.x) * tile_rows; /* later rows see more keys: begin with them */
    const int rows = (int)min((int64_t)tile_rows, t.n - first);
    const exponents scale = exponents::of(s);
    if (threadIdx.x < rows) {
        ranges[threadIdx.x] = keys_of(t.ranges, first + threadIdx.x, s, t.fault);
    }
    auto vectors_of = [&](const uint16_t *m) { return [=](int item) { return item < rows * group ? m + vector_at(first, item, s) : nullptr; }; };
    fetch_rows<D, ROWS>(shared, s.head_dim, t.q, vectors_of(t.q));
    fetch_rows<D, ROWS>(shared + T::BYTES, s.head_dim, t.dout, vectors_of(t.dout));
    copy_commit();
    copy_wait<0>();
    __syncthreads();
    uint4 q[T::STEPS], dout[T::STEPS];
#pragma unroll
    for (int step = 0; step < T::STEPS; step++) {
        q[step] = load_matrices(own_rows<D>(shared) + step * 32);
        dout[step] = load_matrices(own_rows<D>(shared + T::BYTES) + step * 32);
    }
    multiply_out<D>(deltas, shared + T::BYTES, t, s, first, rows * group);
    auto query = [&](int step) { return q[step]; };
    auto gradient = [&](int step) { return dout[step]; };

    for (int from = 0, to; from < rows; from = to) {
        to = run_end(from, rows, [&](int r) { return ranges[r].base; });
        const int2 keys = limits_of(from, to, [&](int r) { return make_int2(ranges[r].from, ranges[r].to); });
        const key_range mine[2] = {own_range(ranges, 0, from, to, group), own_range(ranges, 1, from, to, group)};
        const warp_range all = warp_range::of(mine);
        const int base = ranges[from].base, end = keys.y;
        auto fetch = [&](uint8_t *buffer, int at) {
            auto rows_of = [&](const uint16_t *m) { return [=](int r) { return at + r < end ? m + (at + r) * kv_cols + column : nullptr; }; };
            fetch_rows<D, ROWS>(buffer, s.head_dim, t.k, rows_of(t.k));
            fetch_rows<D, ROWS>(buffer + T::BYTES, s.head_dim, t.v, rows_of(t.v));
            copy_commit();
        };
        float sums[D / 8][4] = {};
        int at = keys.y > 0 ? base + (keys.x - base) / ROWS * ROWS : 0;
        __syncthreads(); /* queries, or the keys of the run before, have been read */
        if (at < end) {
            fetch(shared, at);
        }
        float2 own[2] = {};
#pragma unroll
        for (int h = 0; h < 2; h++) {
            if (mine[h].to > 0) {
                const int64_t vector = vector_at(first, row_of(h), s) / s.head_dim;
                own[h] = make_float2(t.log_sums[vector], deltas[row_of(h)]);
                if (threadIdx.x % 4 == 0) {
                    t.sums[vector] = own[h];
                }
            }
        }
        for (int buffer = 0; at < end; at += ROWS, buffer ^= 1) {
            const uint8_t *k = shared + buffer * 2 * T::BYTES, *v = k + T::BYTES;
            copy_wait<0>();
            __syncthreads(); /* this buffer has been filled, the other one read */
            if (at + ROWS < end) {
                fetch(shared + (buffer ^ 1) * 2 * T::BYTES, at + ROWS);
            }
            if (at < all.highest && at + ROWS > all.lowest) {
                float dot[ROWS / 8][4], dp[ROWS / 8][4];
                dots<D, ROWS>(dot, query, k);
                dots<D, ROWS>(dp, gradient, v);
                gradients<ROWS>(dot, dp, scale, s.scale, [&](int e) { return own[e % 4 / 2]; });
                if (at < all.low || at + ROWS > all.high) {
#pragma unroll
                    for (int e = 0; e < ROWS / 2; e++) {
                        const int key = at + column_of(e), h = e % 4 / 2;
                        dp[e / 4][e % 4] = key >= mine[h].from && key < mine[h].to ? dp[e / 4][e % 4] : 0;
                    }
                }
                add_products<D, ROWS>(sums, dp, k);
            }
        }
#pragma unroll
        for (int h = 0; h < 2; h++) {
            if (mine[h].to > 0) {
                store_row<D>(t.dq + vector_at(first, row_of(h), s), s.head_dim, sums, h, 1);
            }
        }
    }
}

/* Queries [from, to) that see a key, before the window is applied. */
INLINE int2 seen_by(const attention_half &t, int64_t key) {
    int2 r = make_int2(t.seen[2 * key], t.seen[2 * key + 1]);
    if (r.x < 0 || r.y < r.x || r.y > t.n) {
        report(t.fault, T2L_FAULT_ATTENTION_BACKWARD);
        return make_int2(0, 0);
    }
    return r;
}

/* What a step of the keys' tiles needs to know of a query vector: the keys that it sees, none for a place without one. */
struct query_facts {
    int2 keys;
    float2 sums;
};

/* Grid: tiles of 64 keys, key heads; head_dim <= D. STEP query vectors at a time. */
template <int D, int STEP> INLINE void dkv_body(const attention_half &t, const attention_shape &s) {
    typedef tile<D> T;
    enum { QUERIES = STEP * T::PITCH };
    DYNAMIC_SHARED(k);
    uint8_t *v = k + T::BYTES, *queries = v + T::BYTES; /* two buffers of q and dout */
    __shared__ int2 keys[2][STEP];
    __shared__ float2 sums[2][STEP];
    __shared__ int2 seen[ROWS];
    __shared__ int bases[ROWS];
    const int group = s.heads / s.kv_heads, tile_rows = STEP / group, warp_row = threadIdx.x / WARP * 16;
    const int first_key = blockIdx.x * ROWS;
    const int count = (int)min((int64_t)ROWS, t.n - first_key);
    const exponents scale = exponents::of(s);
    auto keys_at = [&](const uint16_t *m) { return [=](int r) { return r < count ? m + ((int64_t)(first_key + r) * s.kv_heads + blockIdx.y) * s.head_dim : nullptr; }; };
    fetch_rows<D, ROWS>(k, s.head_dim, t.k, keys_at(t.k));
    fetch_rows<D, ROWS>(v, s.head_dim, t.v, keys_at(t.v));
    copy_commit();
    if (threadIdx.x < count) {
        seen[threadIdx.x] = seen_by(t, first_key + threadIdx.x);
        bases[threadIdx.x] = keys_of(t.ranges, first_key + threadIdx.x, s, t.fault).base;
    }
    __syncthreads();
    const uint8_t *own_k = own_rows<D>(k), *own_v = own_rows<D>(v);
    auto key = [&](int step) { return load_matrices(own_k + step * 32); };
    auto value = [&](int step) { return load_matrices(own_v + step * 32); };
    float dk[D / 8][4] = {}, dv[D / 8][4] = {};

    for (int begin = 0, end; begin < count; begin = end) {
        end = run_end(begin, count, [&](int r) { return bases[r]; });
        const int2 rows = limits_of(begin, end, [&](int r) { return seen[r]; });
        const int base = bases[begin], to = rows.y;
        query_facts facts; /* of the thread's vector of the step to come */
        auto fetch = [&](uint8_t *buffer, int first) {
            const int items = min(tile_rows, to - first) * group;
            auto vectors_of = [&](const uint16_t *m) { return [=](int item) { return item < items ? m + vector_at(first, item, s) : nullptr; }; };
            fetch_rows<D, STEP>(buffer, s.head_dim, t.q, vectors_of(t.q));
            fetch_rows<D, STEP>(buffer + QUERIES, s.head_dim, t.dout, vectors_of(t.dout));
            copy_commit();
            if (threadIdx.x < STEP) {
                facts = {};
                if (threadIdx.x < items) {
                    const key_range r = keys_of(t.ranges, first + threadIdx.x / group, s, t.fault);
                    facts = {make_int2(r.from, r.to), t.sums[vector_at(first, threadIdx.x, s) / s.head_dim]};
                }
            }
        };
        int first = to > 0 ? base + (rows.x - base) / tile_rows * tile_rows : 0;
        __syncthreads(); /* the queries of the sequence before have been read */
        if (first < to) {
            fetch(queries, first);
        }
        for (int buffer = 0; first < to; first += tile_rows, buffer ^= 1) {
            const uint8_t *q = queries + buffer * 2 * QUERIES, *dout = q + QUERIES;
            if (threadIdx.x < STEP) {
                keys[buffer][threadIdx.x] = facts.keys;
                sums[buffer][threadIdx.x] = facts.sums;
            }
            copy_wait<0>();
            __syncthreads(); /* this buffer has been filled, the other one read */
            if (first + tile_rows < to) {
                fetch(queries + (buffer ^ 1) * 2 * QUERIES, first + tile_rows);
            }
            const int low_key = first_key + max(warp_row, begin), high_key = first_key + min(warp_row + 16, end); /* the warp's of this sequence */
            int highest = 0, high = INT32_MAX, low = 0, lowest = INT32_MAX;
#pragma unroll
            for (int item = threadIdx.x % WARP; item < STEP; item += WARP) {
                const int2 r = keys[buffer][item];
                high = min(high, r.y);
                low = max(low, r.x);
                highest = max(highest, r.y);
                lowest = min(lowest, r.y > 0 ? r.x : INT32_MAX);
            }
            highest = __reduce_max_sync(~0u, highest);
            lowest = __reduce_min_sync(~0u, lowest);
            if (low_key < high_key && low_key < highest && high_key > lowest) {
                float dot[STEP / 8][4], dp[STEP / 8][4];
                dots<D, STEP>(dot, key, q);
                dots<D, STEP>(dp, value, dout);
                gradients<STEP>(dot, dp, scale, s.scale, [&](int e) { return sums[buffer][column_of(e)]; });
                high = __reduce_min_sync(~0u, high);
                low = __reduce_max_sync(~0u, low);
                if (low > low_key || high < high_key || high_key - low_key < 16) {
#pragma unroll
                    for (int e = 0; e < STEP / 2; e++) {
                        const int own = first_key + row_of(e % 4 / 2);
                        const int2 r = keys[buffer][column_of(e)];
                        const bool counts = own >= low_key && own < high_key && own >= r.x && own < r.y;
                        dot[e / 4][e % 4] = counts ? dot[e / 4][e % 4] : 0;
                        dp[e / 4][e % 4] = counts ? dp[e / 4][e % 4] : 0;
                    }
                }
                add_products<D, STEP>(dv, dot, dout);
                add_products<D, STEP>(dk, dp, q);
            }
        }
    }
    copy_wait<0>(); /* of keys that nobody sees */
#pragma unroll
    for (int h = 0; h < 2; h++) {
        if (row_of(h) < count) {
            const int64_t at = ((int64_t)(first_key + row_of(h)) * s.kv_heads + blockIdx.y) * s.head_dim;
            store_row<D>(t.dk + at, s.head_dim, dk, h, 1);
            store_row<D>(t.dv + at, s.head_dim, dv, h, 1);
        }
    }
}

/* CudaHalfAttention knows these sizes too. */
#define BACKWARD(D, BLOCKS, STEP)                                                                                                                   \
    KERNEL __launch_bounds__(THREADS, BLOCKS)                                                                                                       \
        attention_half_dq_##D(int heads, int kv_heads, int head_dim, int window, float scale, float softcap, attention_half t) {                    \
        dq_body<D>(t, {t.n, heads, kv_heads, head_dim, window, scale, softcap});                                                                    \
    }                                                                                                                                               \
    KERNEL __launch_bounds__(THREADS, BLOCKS)                                                                                                       \
        attention_half_dkv_##D(int heads, int kv_heads, int head_dim, int window, float scale, float softcap, attention_half t) {                   \
        dkv_body<D, STEP>(t, {t.n, heads, kv_heads, head_dim, window, scale, softcap});                                                             \
    }

BACKWARD(64, 3, 64)
BACKWARD(128, 2, 64)
