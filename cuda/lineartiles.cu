/*
 * y = x w^T + bias for many rows of x, by tiles.
 *
 * f32 weights: in f32 throughout. A thread has TM x TN outputs; tiles of x and w, BK deep, lie transposed in shared memory, two of
 * each: one is filled while the other is multiplied. 2 flops an element, BM * BN / (BM + BN) / 2 of them for each byte read.
 *
 * Others: on the tensor cores (tiles.cuh).
 *
 * Bits: every output is one sum over k in its order, whatever the tile, so tiles are chosen by the number of rows freely.
 */
#include "tiles.cuh"

/* Grid: tiles of outputs, tiles of rows of x. */
template <int BM, int BN, int BK, int TM, int TN>
INLINE void single_body(float *__restrict__ y, const float *__restrict__ x, int64_t n, int64_t in, const float *__restrict__ w, int64_t out,
                        const void *__restrict__ bias, int bias_type) {
    enum { PAD = 4, FOURS = BK / 4, COLUMNS = BN / TN, THREADS = BM / TM * COLUMNS, XS = BM * BK / 4 / THREADS, WS = BN * BK / 4 / THREADS };
    enum { VM = TM < 4 ? TM : 4, VN = TN < 4 ? TN : 4, GM = TM / VM, GN = TN / VN }; /* a thread's rows lie in GM groups of VM */
    static_assert(XS * THREADS * 4 == BM * BK && WS * THREADS * 4 == BN * BK, "a whole number of loads a thread");
    __shared__ __align__(16) float xs[2][BK][BM + PAD];
    __shared__ __align__(16) float ws[2][BK][BN + PAD];
    const int64_t first_row = (int64_t)blockIdx.y * BM;
    const int64_t first = (int64_t)blockIdx.x * BN;
    const int ty = threadIdx.x / COLUMNS;
    const int tx = threadIdx.x % COLUMNS;
    const bool vector_x = vectors(x, in);
    const bool vector_w = vectors(w, in);
    float4 next_x[XS], next_w[WS];
    const float *from_x[XS], *from_w[WS]; /* four elements of a row each; their column is threadIdx.x % FOURS * 4 */
    float acc[TM][TN] = {};
    static_assert(THREADS % FOURS == 0, "all of a thread's loads have the same column");
#pragma unroll
    for (int i = 0; i < XS; i++) {
        from_x[i] = x + min(first_row + (threadIdx.x + i * THREADS) / FOURS, n - 1) * in;
    }
#pragma unroll
    for (int i = 0; i < WS; i++) {
        from_w[i] = w + min(first + (threadIdx.x + i * THREADS) / FOURS, out - 1) * in;
    }

    auto fetch = [&](int64_t k) {
#pragma unroll
        for (int i = 0; i < XS; i++) {
            next_x[i] = load4(from_x[i], k + threadIdx.x % FOURS * 4, in, vector_x);
        }
#pragma unroll
        for (int i = 0; i < WS; i++) {
            next_w[i] = load4(from_w[i], k + threadIdx.x % FOURS * 4, in, vector_w);
        }
    };
    auto put = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < XS; i++) {
            int item = threadIdx.x + i * THREADS;
            const float v[4] = {next_x[i].x, next_x[i].y, next_x[i].z, next_x[i].w};
#pragma unroll
            for (int c = 0; c < 4; c++) {
                xs[buffer][item % FOURS * 4 + c][item / FOURS] = v[c];
            }
        }
#pragma unroll
        for (int i = 0; i < WS; i++) {
            int item = threadIdx.x + i * THREADS;
            const float v[4] = {next_w[i].x, next_w[i].y, next_w[i].z, next_w[i].w};
#pragma unroll
            for (int c = 0; c < 4; c++) {
                ws[buffer][item % FOURS * 4 + c][item / FOURS] = v[c];
            }
        }
    };

    fetch(0);
    put(0);
    __syncthreads();
    int buffer = 0;
    for (int64_t k0 = 0; k0 < in; k0 += BK) {
        const bool more = k0 + BK < in;
        if (more) {
            fetch(k0 + BK);
        }
#pragma unroll
        for (int k = 0; k < BK; k++) {
            float u[TM], v[TN];
#pragma unroll
            for (int m = 0; m < TM; m++) {
                u[m] = xs[buffer][k][m / VM * (BM / GM) + ty * VM + m % VM];
            }
#pragma unroll
            for (int m = 0; m < TN; m++) {
                v[m] = ws[buffer][k][m / VN * (BN / GN) + tx * VN + m % VN];
            }
#pragma unroll
            for (int i = 0; i < TM; i++) {
#pragma unroll
                for (int j = 0; j < TN; j++) {
                    acc[i][j] = fmaf(u[i], v[j], acc[i][j]);
                }
            }
        }
        if (more) {
            put(buffer ^ 1);
        }
        __syncthreads();
        buffer ^= 1;
    }
#pragma unroll
    for (int j = 0; j < TN; j++) {
        int64_t o = first + j / VN * (BN / GN) + tx * VN + j % VN;
        if (o >= out) {
            continue;
        }
        float b = bias == nullptr ? 0 : element(bias, bias_type, o);
#pragma unroll
        for (int i = 0; i < TM; i++) {
            int64_t r = first_row + i / VM * (BM / GM) + ty * VM + i % VM;
            if (r < n) {
                y[r * out + o] = acc[i][j] + b;
            }
        }
    }
}

#define SINGLE(name, BM, BN, BK, TM, TN)                                                                                                  \
    extern "C" __global__ void __launch_bounds__(BM / TM *(BN / TN), 2)                                                                   \
        name(float *y, const float *x, int64_t n, int64_t in, const float *w, int64_t out, const void *bias, int bias_type) {             \
        single_body<BM, BN, BK, TM, TN>(y, x, n, in, w, out, bias, bias_type);                                                            \
    }

SINGLE(linear_tiles_f32_128, 128, 128, 8, 8, 8)
SINGLE(linear_tiles_f32_64, 64, 64, 16, 4, 4)
SINGLE(linear_tiles_f32_32, 32, 32, 16, 2, 4)

struct linear_job {
    float *y;
    const uint8_t *w;
    int64_t row_bytes, out;
    const void *bias;
    int bias_type;

    __device__ __forceinline__ const uint8_t *row(int64_t o) const {
        return w + o * row_bytes;
    }
    __device__ __forceinline__ void store(int64_t r, int64_t o, float a, float b) const {
        float *to = y + r * out + o;
        if (bias != nullptr) {
            a += element(bias, bias_type, o);
            b += o + 1 < out ? element(bias, bias_type, o + 1) : 0;
        }
        if (((uintptr_t)to & 7) == 0 && o + 1 < out) {
            *(float2 *)to = make_float2(a, b);
        } else {
            to[0] = a;
            if (o + 1 < out) {
                to[1] = b;
            }
        }
    }
};

/* Grid: tiles of outputs, tiles of rows of x. */
#define TENSOR(name, TYPE, BM, BN, WM, WN)                                                                                                \
    extern "C" __global__ void __launch_bounds__(BM / WM *(BN / WN) * WARP, BM == 128 ? 1 : 4)                                            \
        name(float *y, const float *x, int64_t n, int64_t in, const uint8_t *w, int64_t row_bytes, int64_t out, const void *bias,         \
             int bias_type) {                                                                                                             \
        linear_job job = {y, w, row_bytes, out, bias, bias_type};                                                                         \
        tensor_tile<TYPE, BM, BN, WM, WN>(job, x, blockIdx.y * (int64_t)BM, blockIdx.x * (int64_t)BN, n, in, out);                        \
    }

#define TENSORS(name, TYPE)                                                                                                               \
    TENSOR(linear_tiles_##name##_128, TYPE, 128, 128, 64, 32)                                                                             \
    TENSOR(linear_tiles_##name##_64, TYPE, 64, 32, 32, 16)

TENSORS(f16, T2L_F16)
TENSORS(bf16, T2L_BF16)
TENSORS(q4_0, T2L_Q4_0)
TENSORS(q4_1, T2L_Q4_1)
TENSORS(q8_0, T2L_Q8_0)
TENSORS(q4_k, T2L_Q4_K)
TENSORS(q6_k, T2L_Q6_K)
