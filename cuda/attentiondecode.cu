/*
 * out = softmax(softcap(scale q k^T)) v for rows that are each alone in their sequence, as in decoding, and for any head_dim.
 *
 * Few rows fill no chip, so the keys of a row are cut in splits, done by different blocks, whose results attention_combine joins in
 * order. A split has SPLIT keys, or twice that as often as needed to have at most SPLITS of them: its size follows from the number
 * of the row's keys alone, and so do the bits.
 *
 * Bytes: k and v once, 8 head_dim a key and key head: this is what takes the time. Flops: 4 head_dim a key and head.
 * attention_split: grid = (splits, key heads x parts of G heads that share one, rows), 256 threads. Scores: a warp takes 4 keys at
 * a time, a lane every 32nd column. Values: a thread takes a column and every n-th key, n = 256 threads / columns.
 */
#include "attention.cuh"

enum { THREADS = 256, WARPS = THREADS / WARP, SPLIT = 128, SPLITS = 64, KEYS = 128, AT_ONCE = 4 };

INLINE int split_size(const key_range &r) {
    int size = SPLIT;
    while ((r.to - r.from + size - 1) / size > SPLITS) {
        size *= 2;
    }
    return size;
}

/* Columns that threads take side by side, and into how many groups of keys that lets them part. */
INLINE int side_by_side(int d) {
    return min(THREADS, (d + WARP - 1) / WARP * WARP);
}

/* scores[g * KEYS + t] of count <= KEYS keys; every warp some of them. */
template <int G> INLINE void dot_keys(float *scores, const float *queries, const float *k, int64_t kv_cols, int count, const attention_shape &s) {
    int lane = threadIdx.x % WARP, d = s.head_dim;
    for (int t = threadIdx.x / WARP * AT_ONCE; t < count; t += WARPS * AT_ONCE) {
        const float *rows[AT_ONCE];
        float sums[AT_ONCE][G] = {};
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            rows[i] = k + min(t + i, count - 1) * kv_cols;
        }
        for (int x = lane; x < d; x += WARP) {
            float kv[AT_ONCE];
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++) {
                kv[i] = rows[i][x];
            }
#pragma unroll
            for (int g = 0; g < G; g++) {
                float qv = queries[g * d + x];
#pragma unroll
                for (int i = 0; i < AT_ONCE; i++) {
                    sums[i][g] = fmaf(qv, kv[i], sums[i][g]);
                }
            }
        }
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
#pragma unroll
            for (int g = 0; g < G; g++) {
                float dot = warp_sum(sums[i][g]);
                if (lane == 0 && t + i < count) {
                    scores[g * KEYS + t + i] = score(dot, s);
                }
            }
        }
    }
}

/* Warp g: scores of head g become weights; the largest score, the sum of weights and the factor on what came before are renewed. */
INLINE void weigh(float *scores, int count, float &largest, float &total, float &factor) {
    int lane = threadIdx.x % WARP;
    float now = -INFINITY;
    for (int t = lane; t < count; t += WARP) {
        now = fmaxf(now, scores[t]);
    }
    now = fmaxf(largest, warp_max(now));
    float sum = 0;
    for (int t = lane; t < count; t += WARP) {
        float w = expf(scores[t] - now);
        scores[t] = w;
        sum += w;
    }
    sum = warp_sum(sum);
    if (lane == 0) {
        factor = rescale(largest, now);
        total = fmaf(total, factor, sum);
        largest = now;
    }
}

template <int G>
INLINE void split(float *partial, const float *q, const float *k, const float *v, const int *ranges, int64_t first, const attention_shape &s, int *fault) {
    extern __shared__ float shared[];
    __shared__ float largest[G], total[G], factor[G];
    int group = s.heads / s.kv_heads, d = s.head_dim, parts = (group + G - 1) / G;
    int head = blockIdx.y / parts * group + blockIdx.y % parts * G; /* the first of this block's */
    int heads = min(G, group - (int)(blockIdx.y % parts) * G);
    int64_t kv_cols = (int64_t)s.kv_heads * d, column = (int64_t)(blockIdx.y / parts) * d;
    key_range r = keys_of(ranges, first + blockIdx.z, s, fault);
    int size = split_size(r);
    int64_t from = r.from + (int64_t)blockIdx.x * size;
    int to = (int)min(from + size, (int64_t)r.to);
    if (from >= to) {
        return;
    }
    int width = side_by_side(d), sides = THREADS / width, side = threadIdx.x / width;
    float *queries = shared, *scores = queries + G * d, *sums = scores + G * KEYS; /* sums [sides][G][d] */
    for (int i = threadIdx.x; i < G * d; i += THREADS) {
        queries[i] = i < heads * d ? q[((first + blockIdx.z) * s.heads + head) * d + i] : 0;
    }
    for (int i = threadIdx.x; i < sides * G * d; i += THREADS) {
        sums[i] = 0;
    }
    if (threadIdx.x < G) {
        largest[threadIdx.x] = -INFINITY;
        total[threadIdx.x] = 0;
    }
    for (int at = (int)from; at < to; at += KEYS) {
        int count = min(KEYS, to - at);
        __syncthreads(); /* the weights of the keys before have been read */
        dot_keys<G>(scores, queries, k + at * kv_cols + column, kv_cols, count, s);
        __syncthreads();
        int g = threadIdx.x / WARP;
        if (g < G) {
            weigh(scores + g * KEYS, count, largest[g], total[g], factor[g]);
        }
        __syncthreads();
        for (int c = threadIdx.x % width; side < sides && c < d; c += width) {
            const float *values = v + at * kv_cols + column + c;
            float sum[G] = {};
#pragma unroll 4
            for (int t = side; t < count; t += sides) {
                float value = values[t * kv_cols];
#pragma unroll
                for (int h = 0; h < G; h++) {
                    sum[h] = fmaf(scores[h * KEYS + t], value, sum[h]);
                }
            }
#pragma unroll
            for (int h = 0; h < G; h++) {
                float *to_sum = sums + (side * G + h) * d + c;
                *to_sum = fmaf(*to_sum, factor[h], sum[h]);
            }
        }
    }
    __syncthreads();
    /* partial [rows, heads, splits, d + 2]: the sums, then the largest score and the sum of weights */
    for (int i = threadIdx.x; i < heads * (d + 2); i += THREADS) {
        int h = i / (d + 2), c = i % (d + 2);
        float value = 0;
        if (c < d) {
            for (int j = 0; j < sides; j++) {
                value += sums[(j * G + h) * d + c];
            }
        } else {
            value = c == d ? largest[h] : total[h];
        }
        partial[(((int64_t)blockIdx.z * s.heads + head + h) * gridDim.x + blockIdx.x) * (d + 2) + c] = value;
    }
}

#define DEFINE_SPLIT(name, G)                                                                                                                      \
    KERNEL __launch_bounds__(THREADS, 2)                                                                                                            \
        name(float *partial, const float *q, const float *k, const float *v, int64_t kv_rows, const int *ranges, int64_t first, int heads,         \
             int kv_heads, int head_dim, int window, float scale, float softcap, int *fault) {                                                     \
        split<G>(partial, q, k, v, ranges, first, {kv_rows, heads, kv_heads, head_dim, window, scale, softcap}, fault);                            \
    }

DEFINE_SPLIT(attention_split_1, 1)
DEFINE_SPLIT(attention_split_2, 2)
DEFINE_SPLIT(attention_split_4, 4)
DEFINE_SPLIT(attention_split_8, 8)

/* grid = (heads, rows), a thread every 128th column; splits is the grid's of attention_split. */
KERNEL attention_combine(float *out, const float *partial, const int *ranges, int64_t first, int splits, int64_t kv_rows, int heads, int kv_heads,
                         int head_dim, int window, int *fault) {
    int d = head_dim;
    key_range r = keys_of(ranges, first + blockIdx.y, {kv_rows, heads, kv_heads, d, window, 0, 0}, fault);
    if (r.to == 0) {
        return;
    }
    int size = split_size(r);
    int count = (r.to - r.from + size - 1) / size;
    const float *parts = partial + ((int64_t)blockIdx.y * heads + blockIdx.x) * splits * (d + 2);
    out += ((first + blockIdx.y) * heads + blockIdx.x) * d;
    float largest = -INFINITY;
    for (int i = 0; i < count; i++) {
        largest = fmaxf(largest, parts[i * (d + 2) + d]);
    }
    for (int c = threadIdx.x; c < d; c += blockDim.x) {
        float sum = 0, total = 0;
        for (int i = 0; i < count; i++) {
            float factor = rescale(parts[i * (d + 2) + d], largest);
            sum = fmaf(parts[i * (d + 2) + c], factor, sum);
            total = fmaf(parts[i * (d + 2) + d + 1], factor, total);
        }
        out[c] = sum / total;
    }
}
