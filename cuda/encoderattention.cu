/*
 * out = softmax(scale turn(q) turn(k)^T) v of an encoder's rows, each over those of its sequence, with rope's turns in it; for models in bf16
 * whose heads have keys of their own, of 16, 32, 48 or 64 dimensions.
 *
 * A description has few rows, so that most of a device is idle and time is what loads and products wait for each other. A block takes 16
 * rows of a head, and of every 64 keys each of its four warps 16: as many blocks as can be, each with three rounds of loads behind each other
 * (ranges; queries; keys and values). All of them go straight into the registers where products want them, without shared memory: the sums
 * q k^T may go over dimensions in any order, so a thread has those that rope turns into each other, next to each other in memory; and
 * columns of v may be anybody's, so a thread has some that lie side by side. In the end the warps' sums meet in shared memory.
 *
 * q, k, v and weights are two bf16 each, 16 bits or more of them; sums and the softmax are f32. With g = lane / 4 and t = lane % 4, a thread has
 * queries g and g + 8, keys g and g + 8 (as weights 2t, 2t + 1, 2t + 8 and 2t + 9), and of E = D / 8 dimensions each: for q k^T those from tE on in
 * either half, for v those from gE on.
 *
 * Flops: 12 D a row, head and key. Bits: a row's sums follow from its sequence's keys, from the sequence's first on, and its range alone.
 */
#include "attention.cuh"
#include "overlap.cuh"

enum { ROWS = 16, WARPS = 4, WARP_KEYS = 16, KEYS = WARPS * WARP_KEYS };

/* N floats from a multiple of 8 bytes on, of 16 if N is a multiple of 4. */
template <int N> INLINE void load_floats(float *to, const float *p) {
#pragma unroll
    for (int i = 0; i < N; i += N % 4 == 0 ? 4 : 2) {
        if (N % 4 == 0) {
            const float4 v = load_fresh4(p + i);
            to[i] = v.x, to[i + 1] = v.y, to[i + 2] = v.z, to[i + 3] = v.w;
        } else {
            const float2 v = load_fresh2(p + i);
            to[i] = v.x, to[i + 1] = v.y;
        }
    }
}

template <int N> INLINE void store_floats(float *p, const float *from) {
#pragma unroll
    for (int i = 0; i < N; i += N % 4 == 0 ? 4 : 2) {
        if (N % 4 == 0) {
            *(float4 *)(p + i) = make_float4(from[i], from[i + 1], from[i + 2], from[i + 3]);
        } else {
            *(float2 *)(p + i) = make_float2(from[i], from[i + 1]);
        }
    }
}

/* Dimensions from tE on of both halves of a head, turned by the row's angles (rope.cu) if there are any. */
template <int D> INLINE void load_turned(float (&v)[D / 4], const float *x, const float *angles, int t) {
    enum { E = D / 8 };
    load_floats<E>(v, x + t * E);
    load_floats<E>(v + E, x + D / 2 + t * E);
    if (angles != nullptr) {
        float cosine[E], sine[E];
        load_floats<E>(cosine, angles + t * E);
        load_floats<E>(sine, angles + D / 2 + t * E);
#pragma unroll
        for (int i = 0; i < E; i++) {
            const float a = v[i], b = v[E + i];
            v[i] = fmaf(a, cosine[i], -__fmul_rn(b, sine[i]));
            v[E + i] = fmaf(b, cosine[i], __fmul_rn(a, sine[i]));
        }
    }
}

/* Two f32 as high and low pairs of bf16. */
INLINE void split_pair(uint32_t &high, uint32_t &low, float a, float b) {
    high = pack_bf16(a, b);
    low = pack_bf16(a - __uint_as_float(high << 16), b - __uint_as_float(high & 0xffff0000));
}

template <int N> INLINE void split_all(uint32_t (&high)[N / 2], uint32_t (&low)[N / 2], const float (&v)[N]) {
#pragma unroll
    for (int i = 0; i < N / 2; i++) {
        split_pair(high[i], low[i], v[2 * i], v[2 * i + 1]);
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

/* What a warp has of its keys so far, for the thread's queries g and g + 8: largest score (as an exponent of 2), weights and weighted values. */
template <int D> struct warp_sums {
    float largest[2], total[2];
    float values[D / 8][4];
};

/* Keys [first, first + 16) of which queries see [from[h], to[h]); rows of k and v are `cols` apart. */
template <int D>
INLINE void add_keys(warp_sums<D> &sums, const uint32_t (&high)[2][D / 8], const uint32_t (&low)[2][D / 8], const float *k, const float *v, const float *angles,
                     int64_t cols, int first, int end, const int from[2], const int to[2], float scale) {
    enum { E = D / 8 };
    const int lane = threadIdx.x % WARP, g = lane / 4, t = lane % 4;
    float keys[2][D / 4] = {}, values[4][E] = {};
#pragma unroll
    for (int j = 0; j < 2; j++) {
        const int64_t key = first + g + 8 * j;
        if (key < end) {
            load_turned<D>(keys[j], k + key * cols, angles == nullptr ? nullptr : angles + key * D, t);
        }
    }
#pragma unroll
    for (int j = 0; j < 4; j++) {
        const int64_t key = first + 2 * t + j % 2 + j / 2 * 8;
        if (key < end) {
            load_floats<E>(values[j], v + key * cols + g * E);
        }
    }
    float scores[2][4];
#pragma unroll
    for (int j = 0; j < 2; j++) {
        uint32_t key_high[D / 8], key_low[D / 8];
        split_all<D / 4>(key_high, key_low, keys[j]);
        float larger[4] = {}, smaller[4] = {};
#pragma unroll
        for (int i = 0; i < D / 8; i += 2) {
            const uint4 h = make_uint4(high[0][i], high[1][i], high[0][i + 1], high[1][i + 1]);
            mma(larger, h, key_high[i], key_high[i + 1]);
            mma(smaller, h, key_low[i], key_low[i + 1]);
            mma(smaller, make_uint4(low[0][i], low[1][i], low[0][i + 1], low[1][i + 1]), key_high[i], key_high[i + 1]);
        }
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int key = first + 8 * j + 2 * t + i % 2;
            scores[j][i] = key >= from[i / 2] && key < to[i / 2] ? (larger[i] + smaller[i]) * scale : -INFINITY;
        }
    }
#pragma unroll
    for (int h = 0; h < 2; h++) {
        const float before = sums.largest[h];
        const float now = fmaxf(before, quad_max(fmaxf(fmaxf(scores[0][2 * h], scores[0][2 * h + 1]), fmaxf(scores[1][2 * h], scores[1][2 * h + 1]))));
        const float origin = now == -INFINITY ? 0 : now;
        const float factor = exp2_approximate(before - origin);
        sums.largest[h] = now;
        sums.total[h] *= factor;
#pragma unroll
        for (int j = 0; j < 2; j++) {
#pragma unroll
            for (int i = 2 * h; i < 2 * h + 2; i++) {
                scores[j][i] = exp2_approximate(scores[j][i] - origin);
                sums.total[h] += scores[j][i];
            }
        }
#pragma unroll
        for (int c = 0; c < E; c++) {
            sums.values[c][2 * h] *= factor;
            sums.values[c][2 * h + 1] *= factor;
        }
    }
    uint4 weight_high, weight_low;
    split_pair(weight_high.x, weight_low.x, scores[0][0], scores[0][1]);
    split_pair(weight_high.y, weight_low.y, scores[0][2], scores[0][3]);
    split_pair(weight_high.z, weight_low.z, scores[1][0], scores[1][1]);
    split_pair(weight_high.w, weight_low.w, scores[1][2], scores[1][3]);
#pragma unroll
    for (int c = 0; c < E; c++) {
        uint32_t value_high[2], value_low[2];
        split_pair(value_high[0], value_low[0], values[0][c], values[1][c]);
        split_pair(value_high[1], value_low[1], values[2][c], values[3][c]);
        mma(sums.values[c], weight_high, value_high[0], value_high[1]);
        mma(sums.values[c], weight_high, value_low[0], value_low[1]);
        mma(sums.values[c], weight_low, value_high[0], value_high[1]);
    }
}

/* Grid: heads, tiles of 16 rows. */
template <int D>
INLINE void encoder_attention(float *out, const float *q, int64_t n, const float *k, const float *v, const int *ranges, int heads, float scale, int *fault, const float *angles) {
    enum { E = D / 8, PITCH = D + 4 };
    __shared__ __align__(16) float partial[WARPS][ROWS][PITCH];
    __shared__ float largest[WARPS][ROWS], total[WARPS][ROWS];
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, g = lane / 4, t = lane % 4;
    const int64_t cols = (int64_t)heads * D, head = (int64_t)blockIdx.x * D, first = (int64_t)blockIdx.y * ROWS;
    const int rows = (int)min((int64_t)ROWS, n - first);
    const attention_shape shape = {n, heads, heads, D, 0, 1, 0};
    grid_trigger();
    grid_wait();
    key_range own = {-1, 0, 0}; /* of row `lane` */
    if (lane < rows) {
        own = keys_of(ranges, first + lane, shape, fault);
    }
    uint32_t high[2][E], low[2][E];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        const int64_t row = min(first + g + 8 * h, n - 1);
        float values[D / 4];
        load_turned<D>(values, q + row * cols + head, angles == nullptr ? nullptr : angles + row * D, t);
        split_all<D / 4>(high[h], low[h], values);
    }
    for (int at = 0; at < rows;) { /* the rows of a sequence */
        const int base = __shfl_sync(~0u, own.base, at);
        const unsigned others = __ballot_sync(~0u, lane > at && lane < rows && own.base != base);
        const int end = others != 0 ? __ffs((int)others) - 1 : rows;
        const bool in = lane >= at && lane < end && own.to > 0;
        const int lowest = __reduce_min_sync(~0u, in ? own.from : INT32_MAX);
        const int highest = __reduce_max_sync(~0u, in ? own.to : 0);
        int from[2], to[2];
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int row = g + 8 * h;
            from[h] = __shfl_sync(~0u, own.from, row);
            to[h] = __shfl_sync(~0u, own.to, row);
            to[h] = row >= at && row < end ? to[h] : 0;
        }
        warp_sums<D> sums = {{-INFINITY, -INFINITY}, {}, {}};
        for (int key = base + warp * WARP_KEYS; key < highest; key += KEYS) {
            if (key + WARP_KEYS > lowest) {
                add_keys<D>(sums, high, low, k + head, v + head, angles, cols, key, highest, from, to, scale * 1.44269504f);
            }
        }
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int row = g + 8 * h;
            const float all = quad_sum(sums.total[h]);
            if (t == 0) {
                largest[warp][row] = sums.largest[h];
                total[warp][row] = all;
            }
#pragma unroll
            for (int column = 0; column < 2; column++) {
                float some[E];
#pragma unroll
                for (int c = 0; c < E; c++) {
                    some[c] = sums.values[c][2 * h + column];
                }
                store_floats<E>(&partial[warp][row][(2 * t + column) * E], some);
            }
        }
        __syncthreads();
        const int row = threadIdx.x / 8, part = threadIdx.x % 8 * E;
        const float most = fmaxf(fmaxf(largest[0][row], largest[1][row]), fmaxf(largest[2][row], largest[3][row]));
        if (row >= at && row < end && most != -INFINITY) {
            float all = 0, some[E] = {};
#pragma unroll
            for (int w = 0; w < WARPS; w++) {
                const float factor = exp2_approximate(largest[w][row] - most);
                all = fmaf(total[w][row], factor, all);
#pragma unroll
                for (int c = 0; c < E; c++) {
                    some[c] = fmaf(partial[w][row][part + c], factor, some[c]);
                }
            }
#pragma unroll
            for (int c = 0; c < E; c++) {
                some[c] /= all;
            }
            store_floats<E>(out + (first + row) * cols + head + part, some);
        }
        __syncthreads(); /* the next sequence may overwrite the sums */
        at = end;
    }
}

/* angles [n, D] may be null; all rows are aligned to 16 bytes. */
#define ENCODER_ATTENTION(D)                                                                                                                        \
    KERNEL __launch_bounds__(WARPS *WARP)                                                                                                           \
        encoder_attention_##D(float *out, const float *q, int64_t n, const float *k, const float *v, const int *ranges, int heads, float scale,     \
                              int *fault, const float *angles) {                                                                                    \
        encoder_attention<D>(out, q, n, k, v, ranges, heads, scale, fault, angles);                                                                 \
    }

ENCODER_ATTENTION(16)
ENCODER_ATTENTION(32)
ENCODER_ATTENTION(48)
ENCODER_ATTENTION(64)
