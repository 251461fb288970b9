/*
 * Rotary position embedding: the angles of positions, and the rotation of heads by them.
 *
 * Bytes: 8 an element of x. rope_angles: a thread an angle. rope: a block of 256 threads takes a row, a thread every 256th pair.
 * rope_store: a thread a pair, so that one row fills several blocks.
 * The angle is the f32 product that the models were trained with; its sine and cosine are the accurate ones, for any size of it.
 */
#include "common.cuh"

/* out[i, j] = factor cos(a), out[i, h + j] = factor sin(a), a = positions[i] * inv_freq[j] */
KERNEL rope_angles(float *out, const int *positions, int64_t n, const float *inv_freq, int64_t h, float factor) {
    int64_t at = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
    if (at >= n * h) {
        return;
    }
    int64_t i = at / h;
    int64_t j = at % h;
    float s, c;
    sincosf(__fmul_rn((float)positions[i], inv_freq[j]), &s, &c);
    out[i * 2 * h + j] = factor * c;
    out[i * 2 * h + h + j] = factor * s;
}

/* The two places of pair `pair`: (j, j + h) of its head, or (2j, 2j + 1) if interleaved; heads have 2h. */
struct rope_pair {
    int64_t first, second;
    int j;
};

INLINE rope_pair pair_at(int pair, int h, int interleaved) {
    int j = pair % h;
    int64_t head = (int64_t)(pair / h) * 2 * h;
    return {head + (interleaved ? 2 * j : j), head + (interleaved ? 2 * j + 1 : j + h), j};
}

/* The fused steps are spelt out, so that every copy of this code rounds alike. */
INLINE float2 rotate(float a, float b, float c, float s) {
    return make_float2(fmaf(a, c, -__fmul_rn(b, s)), fmaf(b, c, __fmul_rn(a, s)));
}

KERNEL rope(float *x, int heads, int h, const float *angles, int interleaved) {
    x += blockIdx.x * (int64_t)heads * 2 * h;
    angles += blockIdx.x * (int64_t)2 * h;
    for (int pair = threadIdx.x; pair < heads * h; pair += blockDim.x) {
        rope_pair p = pair_at(pair, h, interleaved);
        float2 v = rotate(x[p.first], x[p.second], angles[p.j], angles[h + p.j]);
        x[p.first] = v.x;
        x[p.second] = v.y;
    }
}

/*
 * rope of q and k, then keys[index[i], :] = k[i, :] and values[index[i], :] = v[i, :]; bits are those of rope and scatter.
 * grid = (rows, blocks for (heads + 2 kv_heads) h pairs, a thread each): those of q, then of k, then of v, which are not rotated.
 */
KERNEL rope_store(float *q, const float *k, const float *v, int heads, int kv_heads, int h, const float *angles, int interleaved, float *keys,
                  float *values, int64_t rows, const int *index, int *fault) {
    int64_t row = blockIdx.x;
    int pair = blockIdx.y * blockDim.x + threadIdx.x;
    angles += row * 2 * h;
    if (pair < heads * h) {
        q += row * heads * 2 * h;
        rope_pair p = pair_at(pair, h, interleaved);
        float2 to = rotate(q[p.first], q[p.second], angles[p.j], angles[h + p.j]);
        q[p.first] = to.x;
        q[p.second] = to.y;
        return;
    }
    pair -= heads * h;
    if (pair >= 2 * kv_heads * h) {
        return;
    }
    int64_t to = index[row], cols = (int64_t)kv_heads * 2 * h;
    if (to < 0 || to >= rows) {
        report(fault, T2L_FAULT_SCATTER);
    } else if (pair < kv_heads * h) {
        k += row * cols;
        rope_pair p = pair_at(pair, h, interleaved);
        float2 key = rotate(k[p.first], k[p.second], angles[p.j], angles[h + p.j]);
        keys[to * cols + p.first] = key.x;
        keys[to * cols + p.second] = key.y;
    } else {
        pair -= kv_heads * h;
        values[to * cols + pair] = v[row * cols + pair];
        values[to * cols + kv_heads * h + pair] = v[row * cols + kv_heads * h + pair];
    }
}
