/*
 * out = softmax(softcap(scale q k^T)) v on bf16 tensors, and the logarithms of the softmax's sums, which attentionhalfbackward.cu wants:
 * attention in training (Dao, 2023). attentiontiles.cu is the same on f32 tensors.
 *
 * Tiles of 64 query vectors (consecutive rows, times the heads that share a key head) go over their keys by 64. What is multiplied is
 * bf16, sums and the softmax are f32. Flops: 4 head_dim a row, head and key. Bytes: 4 head_dim a key and tile, from L2 after the first.
 *
 * Bits: tiles of keys start at the first key of a sequence, and one that a vector does not see changes nothing. Rows of different
 * sequences in a tile are done one sequence after the other.
 */
#include "attentionhalf.cuh"

/* A thread's scores of 16 vectors and 64 keys, the first of which is `key`. */
INLINE void weigh(float scores[ROWS / 8][4], int key, const key_range mine[2], bool masked, const exponents &x) {
#pragma unroll
    for (int e = 0; e < ROWS / 2; e++) {
        float &v = scores[e / 4][e % 4];
        v *= x.factor;
        v = x.cap == 0 ? v : x.cap * tanhf(v);
        if (masked) {
            const int at = key + column_of(e);
            v = at >= mine[e % 4 / 2].from && at < mine[e % 4 / 2].to ? v : -INFINITY;
        }
    }
}

/* Half h of them into weights; returns what sums so far are to be multiplied by. */
INLINE float exponentiate(float scores[ROWS / 8][4], int h, float &largest, float &total) {
    float now = largest;
#pragma unroll
    for (int j = 0; j < ROWS / 8; j++) {
        now = fmaxf(now, fmaxf(scores[j][2 * h], scores[j][2 * h + 1]));
    }
    now = quad_max(now);
    const float origin = now == -INFINITY ? 0 : now; /* none seen yet: no difference of infinities */
    const float factor = exp2_approximate(largest - origin);
    largest = now;
    total *= factor;
#pragma unroll
    for (int j = 0; j < ROWS / 8; j++) {
#pragma unroll
        for (int i = 2 * h; i < 2 * h + 2; i++) {
            scores[j][i] = exp2_approximate(scores[j][i] - origin);
            total += scores[j][i];
        }
    }
    return factor;
}

/* Grid: tiles of 64 / group rows, key heads; head_dim <= D. */
template <int D> INLINE void forward(const attention_half &t, const attention_shape &s) {
    typedef tile<D> T;
    DYNAMIC_SHARED(shared);
    __shared__ key_range ranges[ROWS];
    const int group = s.heads / s.kv_heads, tile_rows = ROWS / group;
    const int64_t kv_cols = (int64_t)s.kv_heads * s.head_dim, column = (int64_t)blockIdx.y * s.head_dim;
    const int64_t first = (gridDim.x - 1 - (int64_t)blockIdx.x) * tile_rows; /* later rows see more keys: begin with them */
    const int rows = (int)min((int64_t)tile_rows, t.n - first);
    const exponents scale = exponents::of(s);
    if (threadIdx.x < rows) {
        ranges[threadIdx.x] = keys_of(t.ranges, first + threadIdx.x, s, t.fault);
    }
    fetch_rows<D, ROWS>(shared, s.head_dim, t.q, [&](int item) { return item < rows * group ? t.q + vector_at(first, item, s) : nullptr; });
    copy_commit();
    copy_wait<0>();
    __syncthreads();
    uint4 q[T::STEPS];
#pragma unroll
    for (int step = 0; step < T::STEPS; step++) {
        q[step] = load_matrices(own_rows<D>(shared) + step * 32);
    }
    auto query = [&](int step) { return q[step]; };

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
        float sums[D / 8][4] = {}, largest[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};
        int at = keys.y > 0 ? base + (keys.x - base) / ROWS * ROWS : 0;
        __syncthreads(); /* queries, or the keys of the run before, have been read */
        if (at < end) {
            fetch(shared, at);
        }
        for (int buffer = 0; at < end; at += ROWS, buffer ^= 1) {
            const uint8_t *k = shared + buffer * 2 * T::BYTES, *v = k + T::BYTES;
            copy_wait<0>();
            __syncthreads(); /* this buffer has been filled, the other one read */
            if (at + ROWS < end) {
                fetch(shared + (buffer ^ 1) * 2 * T::BYTES, at + ROWS);
            }
            if (at < all.highest && at + ROWS > all.lowest) {
                float scores[ROWS / 8][4];
                dots<D, ROWS>(scores, query, k);
                weigh(scores, at, mine, at < all.low || at + ROWS > all.high, scale);
#pragma unroll
                for (int h = 0; h < 2; h++) {
                    const float factor = exponentiate(scores, h, largest[h], total[h]);
#pragma unroll
                    for (int c = 0; c < D / 8; c++) {
                        sums[c][2 * h] *= factor;
                        sums[c][2 * h + 1] *= factor;
                    }
                }
                add_products<D, ROWS>(sums, scores, v);
            }
        }
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const float sum = quad_sum(total[h]);
            if (mine[h].to > 0) {
                const int64_t vector = vector_at(first, row_of(h), s);
                store_row<D>(t.out + vector, s.head_dim, sums, h, 1 / sum);
                if (threadIdx.x % 4 == 0) {
                    t.log_sums[vector / s.head_dim] = largest[h] + log2f(sum);
                }
            }
        }
    }
}

/* CudaHalfAttention knows these sizes too. */
#define FORWARD(D, BLOCKS)                                                                                                                          \
    KERNEL __launch_bounds__(THREADS, BLOCKS)                                                                                                       \
        attention_half_forward_##D(int heads, int kv_heads, int head_dim, int window, float scale, float softcap, attention_half t) {               \
        forward<D>(t, {t.n, heads, kv_heads, head_dim, window, scale, softcap});                                                                    \
    }

FORWARD(64, 4)
FORWARD(128, 3)
