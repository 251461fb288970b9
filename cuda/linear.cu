/*
 * y = x w^T + bias for few rows of x and f32 weights (and 16-bit ones whose rows are no multiple of 16 bytes; all others: thin.cu), with
 * the rows' adapters added: y += weight * scale * B low, low = A x. In f32 throughout.
 *
 * Bytes: each weight once, as stored; 2 flops a weight and row. A block makes four outputs, each thread takes every 256th four elements
 * of K. Blocks that read the same weights for other rows of x are neighbours, so the second reads them from the second cache.
 *
 * Bits: an output is a sum over K cut by K alone: the number of rows does not show in it.
 */
#include "lora.cuh"
#include "ptx.cuh"

enum { WARPS = 8, THREADS = WARPS * WARP };
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
