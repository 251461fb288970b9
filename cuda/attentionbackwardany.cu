/*
 * Attention backwards (attentionbackward.cu) for heads and groups of any size: a warp takes a pair of a query and a key, a block a query
 * vector or a key, one after the other.
 *
 * Flops: as there; bytes: a row of k and v, or of q and dout, for each pair. Sums in shared memory go on in the order of keys and queries.
 */
#include "attentionbackward.cuh"

enum { THREADS = 256 };

INLINE float warp_dot(const float *a, const float *b, int d) {
    float sum = 0;
    for (int x = threadIdx.x % WARP; x < d; x += WARP) {
        sum = fmaf(a[x], b[x], sum);
    }
    return warp_sum(sum);
}

/* Grid: rows, heads. Shared: a row of head_dim. */
KERNEL __launch_bounds__(THREADS) attention_dq_any(int heads, int kv_heads, int head_dim, int window, float scale, float softcap, attention_tensors t) {
    enum { WARPS = THREADS / WARP };
    DYNAMIC_SHARED(bytes);
    float *sums = (float *)bytes;
    __shared__ float largest[WARPS], total[WARPS], slopes[WARPS];
    const attention_shape s = {t.n, heads, kv_heads, head_dim, window, scale, softcap};
    const key_range keys = keys_of(t.ranges, blockIdx.x, s, t.fault);
    const int warp = threadIdx.x / WARP;
    const int64_t item = blockIdx.x * (int64_t)heads + blockIdx.y, at = item * head_dim;
    auto key_at = [&](int key) { return (key * (int64_t)kv_heads + blockIdx.y / (heads / kv_heads)) * head_dim; };
    float most = -INFINITY, sum = 0;
    for (int key = keys.from + warp; key < keys.to; key += WARPS) {
        float v = score(warp_dot(t.q + at, t.k + key_at(key), head_dim), s);
        float now = fmaxf(most, v);
        sum = fmaf(sum, rescale(most, now), expf(v - now));
        most = now;
    }
    largest[warp] = most;
    total[warp] = sum;
    for (int x = threadIdx.x; x < head_dim; x += THREADS) {
        sums[x] = 0;
    }
    const float delta = warp_dot(t.dout + at, t.out + at, head_dim);
    __syncthreads();
    most = -INFINITY;
    sum = 0;
    for (int w = 0; w < WARPS; w++) {
        most = fmaxf(most, largest[w]);
    }
    for (int w = 0; w < WARPS; w++) {
        sum = fmaf(total[w], rescale(largest[w], most), sum);
    }
    const float log_sum = most + logf(sum);
    for (int first = keys.from; first < keys.to; first += WARPS) {
        const int key = first + warp;
        float p, ds = 0;
        if (key < keys.to) {
            pair(warp_dot(t.q + at, t.k + key_at(key), head_dim), warp_dot(t.dout + at, t.v + key_at(key), head_dim), log_sum, delta, s, p, ds);
        }
        __syncthreads();
        slopes[warp] = ds;
        __syncthreads();
        for (int x = threadIdx.x; x < head_dim; x += THREADS) {
            for (int w = 0; w < WARPS && first + w < keys.to; w++) {
                sums[x] = fmaf(slopes[w], t.k[key_at(first + w) + x], sums[x]);
            }
        }
    }
    for (int x = threadIdx.x; x < head_dim; x += THREADS) {
        t.dq[at + x] = sums[x];
    }
    if (threadIdx.x == 0) {
        t.log_sums[item] = log_sum;
        t.deltas[item] = delta;
    }
}

/* Grid: keys, key heads. Shared: two rows of head_dim. */
KERNEL __launch_bounds__(THREADS) attention_dkv_any(int heads, int kv_heads, int head_dim, int window, float scale, float softcap, attention_tensors t) {
    enum { WARPS = THREADS / WARP };
    DYNAMIC_SHARED(bytes);
    float *dk = (float *)bytes, *dv = dk + head_dim;
    __shared__ float weights[WARPS], slopes[WARPS];
    const attention_shape s = {t.n, heads, kv_heads, head_dim, window, scale, softcap};
    const int2 seen = seen_by(t, blockIdx.x);
    const int warp = threadIdx.x / WARP, group = heads / kv_heads, key = blockIdx.x;
    const int64_t at = (key * (int64_t)kv_heads + blockIdx.y) * head_dim;
    auto item_at = [&](int64_t i) { return (seen.x + i / group) * heads + blockIdx.y * group + i % group; };
    for (int x = threadIdx.x; x < 2 * head_dim; x += THREADS) {
        dk[x] = 0;
    }
    const int64_t count = (int64_t)(seen.y - seen.x) * group;
    for (int64_t first = 0; first < count; first += WARPS) {
        const int64_t item = first + warp < count ? item_at(first + warp) : 0;
        float p = 0, ds = 0;
        if (first + warp < count && sees(keys_of(t.ranges, item / heads, s, t.fault), key)) {
            const int64_t q = item * head_dim;
            pair(warp_dot(t.q + q, t.k + at, head_dim), warp_dot(t.dout + q, t.v + at, head_dim), t.log_sums[item], t.deltas[item], s, p, ds);
        }
        __syncthreads();
        weights[warp] = p;
        slopes[warp] = ds;
        __syncthreads();
        for (int x = threadIdx.x; x < head_dim; x += THREADS) {
            for (int w = 0; w < WARPS && first + w < count; w++) {
                const int64_t from = item_at(first + w) * head_dim + x;
                dk[x] = fmaf(slopes[w], t.q[from], dk[x]);
                dv[x] = fmaf(weights[w], t.dout[from], dv[x]);
            }
        }
    }
    for (int x = threadIdx.x; x < head_dim; x += THREADS) {
        t.dk[at + x] = dk[x];
        t.dv[at + x] = dv[x];
    }
}
