/*
 * out = softmax(softcap(scale q k^T)) v for many rows on the tensor cores, for models in bf16: prefill and encoders, head_dim a multiple
 * of 16. attention.cu is the same in f32.
 *
 * A block takes a tile of M query vectors: consecutive rows, times the heads that share a key head; a warp some of them. Keys and values
 * come in blocks of KEYS, f32 through registers into bf16 in shared memory: while one block is worked on, the next is under way into
 * registers, keys during q k^T and values during the rest, and is then put beside it. Queries, scores, weights and the weighted sum of
 * values never leave the warp's registers (Dao, 2023): what q k^T leaves in a thread is what the product with v wants there.
 *
 * PARTS is how many bf16 stand for an f32 operand: 1, rounded once, as other frameworks run a model in bf16; 2, 16 bits of it; 3, all
 * 24 (dev/attention.cu has these). Products of parts that matter less than the last are left out: 1, 3 or 6 products for one. Sums and
 * the softmax are f32. A warp has R times 16 vectors.
 *
 * Flops: 4 head_dim a row, head and key. Bytes: 8 head_dim a key and tile, from L2 after the first: M / 2 flops a byte.
 * Threads 2 M / R; with g = lane / 4 and t = lane % 4, a thread has vectors g and g + 8 of each 16, keys or columns 2t, 2t + 1 of each 8.
 * Shared memory: two blocks of keys and of values, rows padded by 16 bytes so that eight rows lie in different banks.
 *
 * Bits: blocks of keys start at the first key of the row's sequence, and a block without a key that the row sees changes nothing, so
 * a row's result depends on none of its tile's others, nor on M. Rows of different sequences in one tile are done one sequence after
 * the other.
 */
#include "attention.cuh"
#include "ptx.cuh"

template <int D, int M, int R, int KEYS, int PARTS> struct flash {
    enum { WARPS = M / 16 / R, THREADS = WARPS * WARP, STEPS = D / 16, LOADS = KEYS * D / 4 / THREADS };
    enum { PITCH = 2 * D + 16, PART = KEYS * PITCH, BLOCK = PARTS * PART, BUFFER = 2 * BLOCK };
    enum { QUERY_REGISTERS = R * D * PARTS / 4, OTHERS = R * D / 2 + R * KEYS / 2 + 4 * LOADS, QUERIES = M * D * 2 * PARTS };
    enum { QUERIES_SHARED = QUERY_REGISTERS + OTHERS > 176 }; /* others: sums, scores, the next block; the rest is for addresses */

    /* Two buffers of keys and values; queries, as the product's operand, where registers have no room for them. */
    enum { BYTES = 2 * BUFFER + (QUERIES_SHARED ? QUERIES : 0) };
    static_assert(LOADS * THREADS * 4 == KEYS * D, "a whole number of loads a thread");
};

/* Rows [first, first + count) of a tile that belong to one sequence, and the keys that they see. */
struct tile_run {
    int first, count, base, from, to;
};

/* The run that begins with row `first` of `rows`. */
INLINE tile_run run_at(const key_range *ranges, int first, int rows) {
    int lane = threadIdx.x % WARP, base = ranges[first].base, end = rows;
    for (int r = first; r < rows; r += WARP) {
        unsigned others = __ballot_sync(~0u, r + lane < rows && ranges[min(r + lane, rows - 1)].base != base);
        if (others != 0) {
            end = r + __ffs((int)others) - 1;
            break;
        }
    }
    int from = INT32_MAX, to = 0;
    for (int r = first + lane; r < end; r += WARP) {
        from = ranges[r].to > 0 ? min(from, ranges[r].from) : from;
        to = max(to, ranges[r].to);
    }
    return {first, end - first, base, __reduce_min_sync(~0u, from), __reduce_max_sync(~0u, to)};
}

/* A pair of f32 as pairs of bf16 that sum to it: each the rounded rest of what those before leave over. */
template <int PARTS> INLINE void split_pair(uint32_t *parts, float a, float b) {
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
        uint32_t v = pack_bf16(a, b);
        parts[p] = v;
        a -= __uint_as_float(v << 16);
        b -= __uint_as_float(v & 0xffff0000);
    }
}

/* What queries are multiplied by beforehand, and how dot products with them become exponents of 2. */
struct exponent_scale {
    float query, cap; /* cap: 0 = none */

    INLINE exponent_scale of(const attention_shape &s) {
        const float log2_e = 1.44269504f;
        return s.softcap == 0 ? exponent_scale{s.scale * log2_e, 0} : exponent_scale{s.scale / s.softcap, s.softcap * log2_e};
    }
};

/* tanh within a few 2^-23 of 1 */
INLINE float tanh_approximate(float x) {
    return __fadd_rn(1, -__fdividef(2, 1 + exp2_approximate(2.88539008f * x)));
}

INLINE float quad_max(float v) {
    v = fmaxf(v, __shfl_xor_sync(~0u, v, 1));
    return fmaxf(v, __shfl_xor_sync(~0u, v, 2));
}

INLINE float quad_sum(float v) {
    v += __shfl_xor_sync(~0u, v, 1);
    return v + __shfl_xor_sync(~0u, v, 2);
}

/* A thread's scores of 16 vectors and KEYS keys, the first of which is `key` in column 0: capped, and -infinity where not seen. */
template <int KEYS> INLINE void weigh(float scores[KEYS / 8][4], int key, const int from[2], const int width[2], bool masked, float cap) {
    if (cap != 0) {
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                scores[j][i] = __fmul_rn(cap, tanh_approximate(scores[j][i]));
            }
        }
    }
    if (masked) {
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                bool seen = (unsigned)(key + 8 * j + i % 2 - from[i / 2]) < (unsigned)width[i / 2];
                scores[j][i] = seen ? scores[j][i] : -INFINITY;
            }
        }
    }
}

/* Half h of them into weights; returns what sums so far are to be multiplied by. */
template <int KEYS> INLINE float exponentiate(float scores[KEYS / 8][4], int h, float &largest, float &total) {
    float now = largest;
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++) {
        now = fmaxf(now, fmaxf(scores[j][2 * h], scores[j][2 * h + 1]));
    }
    now = quad_max(now);
    float origin = now == -INFINITY ? 0 : now; /* none seen yet: no difference of infinities */
    float factor = exp2_approximate(largest - origin);
    largest = now;
    total *= factor;
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
        for (int i = 2 * h; i < 2 * h + 2; i++) {
            scores[j][i] = exp2_approximate(scores[j][i] - origin);
            total = __fadd_rn(total, scores[j][i]);
        }
    }
    return factor;
}

/* grid = (kv_heads, tiles of M / group rows); group = heads / kv_heads <= M, head_dim <= D and a multiple of 16 */
template <int D, int M, int R, int KEYS, int PARTS>
INLINE void prefill(float *__restrict__ out, const float *__restrict__ q, int64_t n, const float *__restrict__ k, const float *__restrict__ v,
                    const int *__restrict__ ranges, const attention_shape &s, int *fault) {
    typedef flash<D, M, R, KEYS, PARTS> F;
    DYNAMIC_SHARED(shared);
    __shared__ key_range row_keys[M];
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, t2 = lane % 4 * 2;
    const int group = s.heads / s.kv_heads, d = s.head_dim, tile_rows = M / group;
    const int64_t kv_cols = (int64_t)s.kv_heads * d;
    const int64_t first = (gridDim.y - 1 - (int64_t)blockIdx.y) * tile_rows; /* later rows see more keys: begin with them */
    const int rows = (int)min((int64_t)tile_rows, n - first);
    const bool vector = vectors(q, d) && vectors(k, d) && vectors(v, d) && vectors(out, d);
    const exponent_scale scale = exponent_scale::of(s);
    k += (int64_t)blockIdx.x * d;
    v += (int64_t)blockIdx.x * d;
    if (threadIdx.x < rows) {
        row_keys[threadIdx.x] = keys_of(ranges, first + threadIdx.x, s, fault);
    }

    /* The thread's vectors: their rows, offsets in q and out, and, once in registers, what the product wants of them. */
    int row[2 * R];
    int64_t offset[2 * R];
#pragma unroll
    for (int h = 0; h < 2 * R; h++) {
        int item = warp * 16 * R + lane / 4 + 8 * h;
        row[h] = item / group;
        offset[h] = ((first + row[h]) * s.heads + blockIdx.x * group + item % group) * d;
    }
    uint4 queries[F::QUERIES_SHARED ? 1 : R][F::QUERIES_SHARED ? 1 : PARTS][F::QUERIES_SHARED ? 1 : F::STEPS];
    uint4 *query_store = (uint4 *)(shared + 2 * F::BUFFER) + warp * R * PARTS * F::STEPS * WARP + lane; /* each thread's own */
#pragma unroll
    for (int m = 0; m < R; m++) {
#pragma unroll
        for (int step = 0; step < F::STEPS; step++) {
            uint32_t a[4][PARTS];
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int x = step * 16 + t2 + i / 2 * 8, h = 2 * m + i % 2;
                float2 pair = make_float2(0, 0);
                if (row[h] < rows && x < d) {
                    const float *from = q + offset[h] + x;
                    pair = vector ? *(const float2 *)from : make_float2(from[0], from[1]);
                }
                split_pair<PARTS>(a[i], __fmul_rn(pair.x, scale.query), __fmul_rn(pair.y, scale.query));
            }
#pragma unroll
            for (int p = 0; p < PARTS; p++) {
                uint4 operand = make_uint4(a[0][p], a[1][p], a[2][p], a[3][p]);
                if (F::QUERIES_SHARED) {
                    query_store[((m * PARTS + p) * F::STEPS + step) * WARP] = operand;
                } else {
                    queries[F::QUERIES_SHARED ? 0 : m][F::QUERIES_SHARED ? 0 : p][F::QUERIES_SHARED ? 0 : step] = operand;
                }
            }
        }
    }
    auto query = [&](int m, int p, int step) {
        return F::QUERIES_SHARED ? query_store[((m * PARTS + p) * F::STEPS + step) * WARP]
                                 : queries[F::QUERIES_SHARED ? 0 : m][F::QUERIES_SHARED ? 0 : p][F::QUERIES_SHARED ? 0 : step];
    };

    auto fetch = [&](float4 *next, const float *from, int at, int end) {
#pragma unroll
        for (int i = 0; i < F::LOADS; i++) {
            int item = threadIdx.x + i * F::THREADS;
            int key = at + item / (D / 4), x = item % (D / 4) * 4;
            next[i] = make_float4(0, 0, 0, 0);
            if (key < end && x < d) {
                next[i] = load4(from + key * kv_cols, x, d, vector);
            }
        }
    };
    auto put = [&](uint8_t *to, const float4 *next) {
#pragma unroll
        for (int i = 0; i < F::LOADS; i++) {
            int item = threadIdx.x + i * F::THREADS;
            uint8_t *at = to + item / (D / 4) * F::PITCH + item % (D / 4) * 8;
            uint32_t parts[2][PARTS];
            split_pair<PARTS>(parts[0], next[i].x, next[i].y);
            split_pair<PARTS>(parts[1], next[i].z, next[i].w);
#pragma unroll
            for (int p = 0; p < PARTS; p++) {
                *(uint2 *)(at + p * F::PART) = make_uint2(parts[0][p], parts[1][p]);
            }
        }
    };
    __syncthreads();

    for (int at_row = 0; at_row < rows;) {
        const tile_run run = run_at(row_keys, at_row, rows);
        at_row = run.first + run.count;

        /* The thread's ranges, and what all of the warp's vectors of this run see, or some. */
        int from[2 * R], width[2 * R];
        bool live[2 * R];
        int lowest = INT32_MAX, low = 0, high = INT32_MAX, highest = 0;
#pragma unroll
        for (int h = 0; h < 2 * R; h++) {
            key_range r = {0, 0, 0};
            if (row[h] >= run.first && row[h] < run.first + run.count) {
                r = row_keys[row[h]];
            }
            live[h] = r.to > 0;
            from[h] = r.from;
            width[h] = r.to - r.from;
            if (live[h]) {
                lowest = min(lowest, r.from);
                low = max(low, r.from);
                high = min(high, r.to);
                highest = max(highest, r.to);
            }
        }
        lowest = __reduce_min_sync(~0u, lowest);
        low = __reduce_max_sync(~0u, low);
        high = __reduce_min_sync(~0u, high);
        highest = __reduce_max_sync(~0u, highest);

        float largest[2 * R], total[2 * R];
#pragma unroll
        for (int h = 0; h < 2 * R; h++) {
            largest[h] = -INFINITY;
            total[h] = 0;
        }
        float sums[R][D / 8][4] = {};
        int at = run.to == 0 ? 0 : run.base + (run.from - run.base) / KEYS * KEYS;
        float4 next[F::LOADS];
        if (run.to > 0) {
            float4 values[F::LOADS];
            fetch(next, k, at, run.to);
            fetch(values, v, at, run.to);
            __syncthreads(); /* the run before has been read */
            put(shared, next);
            put(shared + F::BLOCK, values);
        }
        for (int buffer = 0; at < run.to; at += KEYS, buffer ^= 1) {
            const uint8_t *keys = shared + buffer * F::BUFFER, *values = keys + F::BLOCK;
            uint8_t *other = shared + (buffer ^ 1) * F::BUFFER;
            const bool more = at + KEYS < run.to, seen = at < highest && at + KEYS > lowest;
            float scores[R][KEYS / 8][4] = {};
            __syncthreads(); /* this buffer has been filled, the other one read */
            if (more) {
                fetch(next, k, at + KEYS, run.to);
            }
            if (seen) {
                const uint8_t *at_k = keys + (lane % 8 + lane / 16 * 8) * F::PITCH + lane / 8 % 2 * 16;
#pragma unroll
                for (int step = 0; step < F::STEPS; step++) {
                    uint4 a[R][PARTS];
#pragma unroll
                    for (int m = 0; m < R; m++) {
#pragma unroll
                        for (int p = 0; p < PARTS; p++) {
                            a[m][p] = query(m, p, step);
                        }
                    }
#pragma unroll
                    for (int pk = 0; pk < PARTS; pk++) {
#pragma unroll
                        for (int j = 0; j < KEYS / 16; j++) {
                            uint4 b = load_matrices(at_k + pk * F::PART + j * 16 * F::PITCH + step * 32);
#pragma unroll
                            for (int m = 0; m < R; m++) {
#pragma unroll
                                for (int pq = 0; pq < PARTS - pk; pq++) {
                                    mma(scores[m][2 * j], a[m][pq], b.x, b.y);
                                    mma(scores[m][2 * j + 1], a[m][pq], b.z, b.w);
                                }
                            }
                        }
                    }
                }
            }
            if (more) {
                put(other, next);
                fetch(next, v, at + KEYS, run.to);
            }
            if (seen) {
#pragma unroll
                for (int m = 0; m < R; m++) {
                    weigh<KEYS>(scores[m], at + t2, &from[2 * m], &width[2 * m], at < low || at + KEYS > high, scale.cap);
#pragma unroll
                    for (int h = 0; h < 2; h++) {
                        float factor = exponentiate<KEYS>(scores[m], h, largest[2 * m + h], total[2 * m + h]);
#pragma unroll
                        for (int c = 0; c < D / 8; c++) {
                            sums[m][c][2 * h] *= factor;
                            sums[m][c][2 * h + 1] *= factor;
                        }
                    }
                }
                const uint8_t *at_v = values + lane % 16 * F::PITCH + lane / 16 * 16;
#pragma unroll
                for (int j = 0; j < KEYS / 16; j++) {
                    uint4 w[R][PARTS];
#pragma unroll
                    for (int m = 0; m < R; m++) {
                        uint32_t pairs[4][PARTS];
#pragma unroll
                        for (int i = 0; i < 4; i++) {
                            const float *pair = &scores[m][2 * j + i / 2][i % 2 * 2];
                            split_pair<PARTS>(pairs[i], pair[0], pair[1]);
                        }
#pragma unroll
                        for (int p = 0; p < PARTS; p++) {
                            w[m][p] = make_uint4(pairs[0][p], pairs[1][p], pairs[2][p], pairs[3][p]);
                        }
                    }
#pragma unroll
                    for (int c = 0; c < D / 16; c++) {
#pragma unroll
                        for (int pv = 0; pv < PARTS; pv++) {
                            uint4 b = load_matrices_transposed(at_v + pv * F::PART + j * 16 * F::PITCH + c * 32);
#pragma unroll
                            for (int m = 0; m < R; m++) {
#pragma unroll
                                for (int pw = 0; pw < PARTS - pv; pw++) {
                                    mma(sums[m][2 * c], w[m][pw], b.x, b.y);
                                    mma(sums[m][2 * c + 1], w[m][pw], b.z, b.w);
                                }
                            }
                        }
                    }
                }
            }
            if (more) {
                put(other + F::BLOCK, next);
            }
        }
#pragma unroll
        for (int h = 0; h < 2 * R; h++) {
            float all = quad_sum(total[h]);
            if (!live[h]) {
                continue;
            }
#pragma unroll
            for (int c = 0; c < D / 8; c++) {
                int x = c * 8 + t2;
                if (x < d) {
                    float *to = out + offset[h] + x;
                    float a = sums[h / 2][c][h % 2 * 2] / all, b = sums[h / 2][c][h % 2 * 2 + 1] / all;
                    if (vector) {
                        *(float2 *)to = make_float2(a, b);
                    } else {
                        to[0] = a;
                        to[1] = b;
                    }
                }
            }
        }
    }
}

#define TILES(name, D, M, R, KEYS, PARTS)                                                                                                           \
    KERNEL __launch_bounds__(2 * M / R)                                                                                                             \
        name(float *out, const float *q, int64_t n, const float *k, const float *v, int64_t kv_rows, const int *ranges, int heads, int kv_heads,    \
             int head_dim, int window, float scale, float softcap, int *fault) {                                                                    \
        prefill<D, M, R, KEYS, PARTS>(out, q, n, k, v, ranges, {kv_rows, heads, kv_heads, head_dim, window, scale, softcap}, fault);                \
    }

/* CudaAttention knows these sizes too. */
TILES(attention_half_64_64, 64, 64, 1, 64, 1)
TILES(attention_half_64_128, 64, 128, 1, 64, 1)
TILES(attention_half_128_64, 128, 64, 1, 64, 1)
TILES(attention_half_128_128, 128, 128, 1, 64, 1)
TILES(attention_half_256_128, 256, 128, 1, 32, 1)
