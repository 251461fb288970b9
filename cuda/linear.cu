/*
 * y = x w^T + bias for few rows of x, as decoding has them, with the rows' adapters added: y += weight * scale * B low, low = A x.
 *
 * Bytes: each weight once, as stored; 2 flops a weight and row. So all that matters is to keep enough bytes under way.
 *
 * 16-bit and quantised weights: a block of 8 warps makes 8, 16 or 32 outputs for up to eight rows of x. A warp takes every eighth
 * chunk of K (blocks.cuh) through its own ring of stages: 16-byte asynchronous copies fill one stage while another is unpacked, and
 * no warp waits for another but where a panel of x is exchanged. Products are m16n8k16: w is the operand of eight columns, x that of
 * sixteen rows, eight of its bf16 values and, below them, of what these leave over, so x counts with 16 bits or more. Scales of blocks
 * multiply the f32 sums. At the end the eight warps' sums are added in their order.
 *
 * f32 weights (and 16-bit ones whose rows are no multiple of 16 bytes): a block makes four outputs, each thread takes every 256th four
 * elements of K, in f32 throughout.
 *
 * Bits: an output is a sum over K cut by K alone: neither the number of rows, nor a block's outputs, nor the panel shows in it.
 * Blocks that read the same weights for other rows of x are neighbours, so the second reads them from the second cache.
 */
#include "blocks.cuh"
#include "lora.cuh"

enum { WARPS = 8, THREADS = WARPS * WARP };
enum { ROWS_OF_X = 8 }; /* at most */

/* Shared memory: a panel of x [panel/16 steps of mma][rows of x][4 lanes] of 16 bytes, [panel/32][rows of x] f32 sums of 32 if the
 * format has minimums, then the warps' stages and scales. dev.t2l.backend.ThinProduct computes the same. */
template <int TYPE, int TILES> struct shape {
    typedef format<TYPE> F;
    enum {
        OUTPUTS = 8 * TILES,
        STAGE = OUTPUTS * F::PITCH * 16,
        SCALES = F::SCALES * OUTPUTS, /* floats */
        FIT = (12288 - SCALES * 4 * (1 + F::MINS)) / STAGE, /* so that two blocks fit a multiprocessor of 228 KiB */
        STAGES = FIT < 2 ? 2 : FIT > 5 ? 5 : FIT,
        PER_WARP = STAGES * STAGE + SCALES * 4 * (1 + F::MINS),
        COPIES = (OUTPUTS * F::PIECES + WARP - 1) / WARP, /* a lane's share of a stage */
        STEP = WARPS * F::BYTES,                          /* from a warp's chunk to its next: a multiple of 16 */
    };
};

/* Columns [from, from + panel) of n rows of x, as mma wants them; zeros beyond in. */
template <int TYPE>
INLINE void stage_x(uint4 *parts, float *sums, const float *__restrict__ x, int n, int64_t in, int64_t from, int panel, bool vector) {
    const int quads = panel / 4; /* a power of two */
    const int shift = __ffs(quads) - 1;
#pragma unroll 2
    for (int item = threadIdx.x; item < n * quads; item += THREADS) {
        int i = item >> shift;
        int quad = item & (quads - 1);
        float4 v = load4(x + i * in, from + quad * 4, in, vector);
        if (format<TYPE>::SEQUENTIAL) {
            parts[((quad / 8 * 2 + quad % 2) * n + i) * 4 + quad % 8 / 2] = split4(v.x, v.y, v.z, v.w);
        } else {
            parts[(quad / 4 * n + i) * 4 + quad % 4] = split4(v.x, v.z, v.y, v.w);
        }
        if (format<TYPE>::MINS) {
            float sum = v.x + v.y + (v.z + v.w);
            sum += __shfl_xor_sync(~0u, sum, 1);
            sum += __shfl_xor_sync(~0u, sum, 2);
            sum += __shfl_xor_sync(~0u, sum, 4);
            if (quad % 8 == 0) {
                sums[quad / 8 * n + i] = sum;
            }
        }
    }
}

/* A warp's copies of one stage: which bytes of w go where. */
template <int TYPE, int TILES> struct stage_copies {
    typedef shape<TYPE, TILES> S;
    typedef format<TYPE> F;
    const uint8_t *base;        /* the block's first row, rounded down to 16 */
    uint32_t source[S::COPIES]; /* from there, for the warp's first chunk */
    int end[S::COPIES];         /* bytes from the piece to its row's chunk, so that plus a chunk's bytes: to its end */
    int target[S::COPIES];      /* in a stage; -1: none */

    __device__ __forceinline__ void init(const uint8_t *w, int64_t row_bytes, int64_t first, int64_t out, int warp, int lane) {
        const uint8_t *row = w + first * row_bytes;
        int skew = (int)((uintptr_t)row & 15);
        base = row - skew;
#pragma unroll
        for (int c = 0; c < S::COPIES; c++) {
            int piece = lane + c * WARP;
            int r = piece / F::PIECES;
            int j = piece % F::PIECES;
            int real = (int)(first + r < out ? r : out - 1 - first); /* rows beyond the last are the last, and not stored */
            uint32_t start = (uint32_t)(real * row_bytes + skew + warp * F::BYTES);
            source[c] = (start & ~15u) + j * 16;
            end[c] = (int)(start & 15) - j * 16;
            target[c] = piece < S::OUTPUTS * F::PIECES ? (r * F::PITCH + F::place(r, j)) * 16 : -1;
        }
    }

    /* `bytes` of each row's chunk number `round` of this warp. */
    __device__ __forceinline__ void issue(uint8_t *stage, int round, int bytes) const {
#pragma unroll
        for (int c = 0; c < S::COPIES; c++) {
            int size = min(max(end[c] + bytes, 0), 16);
            if (target[c] >= 0) {
                copy_async(stage + target[c], size == 0 ? base : base + (source[c] + (uint32_t)round * S::STEP), size);
            }
        }
    }
};

/* One warp's outputs [TILES][...] for 32 elements: b of every tile, times a. */
template <int TYPE, int TILES>
INLINE void products(float acc[TILES][4], const uint8_t *const rows[TILES], const float *scales, int g, int t, int j, const uint4 &a0,
                     const uint4 &a1, float sum) {
    typedef shape<TYPE, TILES> S;
    typedef format<TYPE> F;
#pragma unroll
    for (int tile = 0; tile < TILES; tile++) {
        uint32_t b[4 * F::PARTS];
        F::unpack(rows[tile], g, j, t, b);
        if (F::SCALES == 0) {
            mma(acc[tile], a0, b[0], b[1]);
            mma(acc[tile], a1, b[2], b[3]);
            if (F::PARTS == 2) {
                mma(acc[tile], a0, b[4], b[5]);
                mma(acc[tile], a1, b[6], b[7]);
            }
            continue;
        }
        const float *scale = scales + tile * 8 + t * 2;
        if (F::SCALES == F::CHUNK / 32) {
            float c[4] = {0, 0, 0, 0};
            mma(c, a0, b[0], b[1]);
            mma(c, a1, b[2], b[3]);
            float2 d = *(const float2 *)(scale + j * S::OUTPUTS);
            acc[tile][0] = fmaf(d.x, c[0] + c[2], acc[tile][0]);
            acc[tile][1] = fmaf(d.y, c[1] + c[3], acc[tile][1]);
        } else {
            float c[4] = {0, 0, 0, 0};
            float e[4] = {0, 0, 0, 0};
            mma(c, a0, b[0], b[1]);
            mma(e, a1, b[2], b[3]);
            float2 d = *(const float2 *)(scale + 2 * j * S::OUTPUTS);
            acc[tile][0] = fmaf(d.x, c[0] + c[2], acc[tile][0]);
            acc[tile][1] = fmaf(d.y, c[1] + c[3], acc[tile][1]);
            d = *(const float2 *)(scale + (2 * j + 1) * S::OUTPUTS);
            acc[tile][0] = fmaf(d.x, e[0] + e[2], acc[tile][0]);
            acc[tile][1] = fmaf(d.y, e[1] + e[3], acc[tile][1]);
        }
        if (F::MINS) {
            float2 m = *(const float2 *)(scale + S::SCALES + j * S::OUTPUTS);
            acc[tile][0] = fmaf(-m.x, sum, acc[tile][0]);
            acc[tile][1] = fmaf(-m.y, sum, acc[tile][1]);
        }
    }
}

/* Grid: groups of up to eight rows of x (fastest), times blocks of outputs. */
template <int TYPE, int TILES>
INLINE void linear_body(float *__restrict__ y, const float *__restrict__ x, int64_t rows, int64_t in, const uint8_t *__restrict__ w,
                        int64_t row_bytes, int64_t out, const void *__restrict__ bias, int bias_type, int group,
                        int panel, const lora_rows &lora) {
    typedef shape<TYPE, TILES> S;
    typedef format<TYPE> F;
    DYNAMIC_SHARED(shared);

    const uint32_t groups = ((uint32_t)rows + group - 1) / (uint32_t)group;
    const int64_t first_row = (int64_t)(blockIdx.x % groups) * group;
    const int64_t first = (int64_t)(blockIdx.x / groups) * S::OUTPUTS;
    const int n = (int)min((int64_t)group, rows - first_row);
    const int warp = threadIdx.x / WARP;
    const int lane = threadIdx.x % WARP;
    const int g = lane / 4;
    const int t = lane % 4;
    x += first_row * in;
    y += first_row * out;

    uint4 *parts = (uint4 *)shared;
    float *sums = (float *)(parts + panel / 4 * n);
    uint8_t *mine = (uint8_t *)(sums + (F::MINS ? panel / 32 * n : 0)) + warp * S::PER_WARP;
    float *scales = (float *)(mine + S::STAGES * S::STAGE);

    if ((uint32_t)(mine - shared) + S::PER_WARP > dynamic_shared_size()) {
        __trap(); /* launched with a wrong shape */
    }
    stage_copies<TYPE, TILES> copies;
    copies.init(w, row_bytes, first, out, warp, lane);
    const uint8_t *staged[TILES]; /* this lane's rows in the first stage */
    int skew[TILES];
#pragma unroll
    for (int tile = 0; tile < TILES; tile++) {
        int64_t row = min(first + tile * 8 + g, out - 1);
        skew[tile] = F::SEQUENTIAL ? 0 : (int)((uintptr_t)(w + row * row_bytes + warp * F::BYTES) & 15);
        staged[tile] = mine + (tile * 8 + g) * (F::PITCH * 16) + skew[tile];
    }

    const int chunks = (int)((in + F::CHUNK - 1) / F::CHUNK);
    const int last_bytes = (int)(row_bytes - (int64_t)(chunks - 1) * F::BYTES);
    const int rounds = (chunks + WARPS - 1) / WARPS;
    const int rounds_of_panel = panel / (WARPS * F::CHUNK); /* a power of two */
    const bool vector = vectors(x, in);
    float acc[TILES][4] = {};
    uint4 a0 = make_uint4(0, 0, 0, 0); /* stays 0 in lanes whose row of x there is not */
    uint4 a1 = make_uint4(0, 0, 0, 0);

#pragma unroll
    for (int round = 0; round < S::STAGES - 1; round++) {
        int chunk = round * WARPS + warp;
        if (chunk < chunks) {
            copies.issue(mine + round * S::STAGE, round, chunk == chunks - 1 ? last_bytes : F::BYTES);
        }
        copy_commit();
    }
    int stage = 0;
    int next_stage = S::STAGES - 1;
    for (int round = 0; round < rounds; round++) {
        if ((round & (rounds_of_panel - 1)) == 0) {
            __syncthreads();
            stage_x<TYPE>(parts, sums, x, n, in, (int64_t)round * (WARPS * F::CHUNK), panel, vector);
            __syncthreads();
        }
        copy_wait<S::STAGES - 2>();
        __syncwarp(); /* the stage is full; the one before, and the scales, are no longer read */
        int next = (round + S::STAGES - 1) * WARPS + warp;
        if (next < chunks) {
            copies.issue(mine + next_stage * S::STAGE, round + S::STAGES - 1, next == chunks - 1 ? last_bytes : F::BYTES);
        }
        copy_commit();
        if (round * WARPS + warp < chunks) {
            if (F::SCALES > 0) {
#pragma unroll
                for (int item = lane; item < S::SCALES; item += WARP) {
                    int r = item % S::OUTPUTS;
                    int64_t row = min(first + r, out - 1);
                    int start = (int)((uintptr_t)(w + row * row_bytes + warp * F::BYTES) & 15);
                    F::scale(mine + stage * S::STAGE + r * (F::PITCH * 16) + start, item / S::OUTPUTS, scales + item, scales + S::SCALES + item);
                }
                __syncwarp();
            }
            const uint8_t *now[TILES];
#pragma unroll
            for (int tile = 0; tile < TILES; tile++) {
                now[tile] = staged[tile] + stage * S::STAGE;
            }
            int chunk_of_panel = (round & (rounds_of_panel - 1)) * WARPS + warp;
            const uint4 *a = parts + (chunk_of_panel * (F::CHUNK / 16) * n + g) * 4 + t;
            const float *sum = sums + chunk_of_panel * (F::CHUNK / 32) * n + min(g, n - 1);
#pragma unroll
            for (int j = 0; j < F::CHUNK / 32; j++) {
                load_shared_if(a0, a, g < n);
                load_shared_if(a1, a + n * 4, g < n);
                products<TYPE, TILES>(acc, now, scales, g, t, j, a0, a1, F::MINS ? *sum : 0.0f);
                a += n * 8;
                sum += n;
            }
        }
        stage = stage + 1 == S::STAGES ? 0 : stage + 1;
        next_stage = next_stage + 1 == S::STAGES ? 0 : next_stage + 1;
    }

    copy_wait<0>();
    __syncthreads();
    float *partial = (float *)shared; /* [WARPS][8][OUTPUTS] */
#pragma unroll
    for (int tile = 0; tile < TILES; tile++) {
        float *to = partial + (warp * ROWS_OF_X + g) * S::OUTPUTS + tile * 8 + t * 2;
        to[0] = F::SCALES == 0 ? acc[tile][0] + acc[tile][2] : acc[tile][0];
        to[1] = F::SCALES == 0 ? acc[tile][1] + acc[tile][3] : acc[tile][1];
    }
    __syncthreads();
    for (int item = threadIdx.x; item < n * S::OUTPUTS; item += THREADS) {
        int64_t o = first + item % S::OUTPUTS;
        if (o >= out) {
            continue;
        }
        float sum = 0;
        for (int v = 0; v < WARPS; v++) {
            sum += partial[v * (ROWS_OF_X * S::OUTPUTS) + item];
        }
        sum += bias == nullptr ? 0 : element(bias, bias_type, o);
        int64_t i = item / S::OUTPUTS;
        y[i * out + o] = lora.table == nullptr ? sum : lora_add(sum, lora, first_row + i, o);
    }
}

#define LINEAR(name, TYPE, TILES)                                                                                                           \
    extern "C" __global__ void __launch_bounds__(THREADS, 2)                                                                                \
        name(float *y, const float *x, int64_t n, int64_t in, const uint8_t *w, int64_t row_bytes, int64_t out, const void *bias,           \
             int bias_type, int group, int panel, lora_rows lora) {                                                                         \
        linear_body<TYPE, TILES>(y, x, n, in, w, row_bytes, out, bias, bias_type, group, panel, lora);                                      \
    }

LINEAR(linear_f16_1, T2L_F16, 1)
LINEAR(linear_f16_2, T2L_F16, 2)
LINEAR(linear_bf16_1, T2L_BF16, 1)
LINEAR(linear_bf16_2, T2L_BF16, 2)
LINEAR(linear_q4_0_1, T2L_Q4_0, 1)
LINEAR(linear_q4_0_2, T2L_Q4_0, 2)
LINEAR(linear_q4_0_4, T2L_Q4_0, 4)
LINEAR(linear_q4_1_1, T2L_Q4_1, 1)
LINEAR(linear_q4_1_2, T2L_Q4_1, 2)
LINEAR(linear_q4_1_4, T2L_Q4_1, 4)
LINEAR(linear_q8_0_1, T2L_Q8_0, 1)
LINEAR(linear_q8_0_2, T2L_Q8_0, 2)
LINEAR(linear_q4_k_1, T2L_Q4_K, 1)
LINEAR(linear_q4_k_2, T2L_Q4_K, 2)
LINEAR(linear_q4_k_4, T2L_Q4_K, 4)
LINEAR(linear_q6_k_1, T2L_Q6_K, 1)
LINEAR(linear_q6_k_2, T2L_Q6_K, 2)

enum { PLAIN_OUTPUTS = 4 };

template <int TYPE, bool VECTOR> INLINE float4 plain4(const void *row, int64_t k, int64_t in) {
    if (VECTOR) {
        uint4 v = load_stream((const float *)row + k);
        return make_float4(__uint_as_float(v.x), __uint_as_float(v.y), __uint_as_float(v.z), __uint_as_float(v.w));
    }
    float4 v;
    v.x = element(row, TYPE, k);
    v.y = k + 1 < in ? element(row, TYPE, k + 1) : 0;
    v.z = k + 2 < in ? element(row, TYPE, k + 2) : 0;
    v.w = k + 3 < in ? element(row, TYPE, k + 3) : 0;
    return v;
}

/* Grid: groups of N rows of x (fastest), times blocks of four outputs. VECTOR: f32, rows of w of a multiple of 16 bytes. */
template <int TYPE, int N, bool VECTOR>
INLINE void plain_body(float *__restrict__ y, const float *__restrict__ x, int64_t rows, int64_t in, const void *__restrict__ w, int64_t out,
                       const void *__restrict__ bias, int bias_type, const lora_rows &lora) {
    __shared__ float partial[WARPS][N * PLAIN_OUTPUTS];
    const uint32_t groups = ((uint32_t)rows + N - 1) / N;
    const int64_t first_row = (int64_t)(blockIdx.x % groups) * N;
    const int64_t first = (int64_t)(blockIdx.x / groups) * PLAIN_OUTPUTS;
    const bool vector = vectors(x, in);
    const int size = TYPE == T2L_F32 ? 4 : 2;
    float acc[N][PLAIN_OUTPUTS] = {};

#pragma unroll 2
    for (int64_t k = threadIdx.x * 4; k < in; k += THREADS * 4) {
        float4 v[PLAIN_OUTPUTS];
#pragma unroll
        for (int r = 0; r < PLAIN_OUTPUTS; r++) {
            v[r] = plain4<TYPE, VECTOR>((const uint8_t *)w + min(first + r, out - 1) * in * size, k, in);
        }
#pragma unroll
        for (int i = 0; i < N; i++) {
            float4 u = load4(x + min(first_row + i, rows - 1) * in, k, in, vector);
#pragma unroll
            for (int r = 0; r < PLAIN_OUTPUTS; r++) {
                acc[i][r] = fmaf(u.x, v[r].x, acc[i][r]);
                acc[i][r] = fmaf(u.y, v[r].y, acc[i][r]);
                acc[i][r] = fmaf(u.z, v[r].z, acc[i][r]);
                acc[i][r] = fmaf(u.w, v[r].w, acc[i][r]);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < N * PLAIN_OUTPUTS; i++) {
        float sum = warp_sum(acc[i / PLAIN_OUTPUTS][i % PLAIN_OUTPUTS]);
        if (threadIdx.x % WARP == 0) {
            partial[threadIdx.x / WARP][i] = sum;
        }
    }
    __syncthreads();
    int item = threadIdx.x;
    int64_t i = first_row + item / PLAIN_OUTPUTS;
    int64_t o = first + item % PLAIN_OUTPUTS;
    if (item < N * PLAIN_OUTPUTS && i < rows && o < out) {
        float sum = 0;
        for (int v = 0; v < WARPS; v++) {
            sum += partial[v][item];
        }
        sum += bias == nullptr ? 0 : element(bias, bias_type, o);
        y[i * out + o] = lora.table == nullptr ? sum : lora_add(sum, lora, i, o);
    }
}

#define PLAIN(name, TYPE, N, VECTOR)                                                                                                        \
    extern "C" __global__ void __launch_bounds__(THREADS) name(float *y, const float *x, int64_t n, int64_t in, const void *w, int64_t out, \
                                                               const void *bias, int bias_type, lora_rows lora) {                           \
        plain_body<TYPE, N, VECTOR>(y, x, n, in, w, out, bias, bias_type, lora);                                                            \
    }

PLAIN(linear_f32_1, T2L_F32, 1, true)
PLAIN(linear_f32_2, T2L_F32, 2, true)
PLAIN(linear_f32_4, T2L_F32, 4, true)
PLAIN(linear_f32_8, T2L_F32, 8, true)
PLAIN(linear_any_f32, T2L_F32, 4, false)
PLAIN(linear_any_f16, T2L_F16, 4, false)
PLAIN(linear_any_bf16, T2L_BF16, 4, false)
