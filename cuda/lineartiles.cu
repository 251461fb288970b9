/*
 * y = x w^T + bias for many rows of x, by tiles.
 *
 * f32 weights: in f32 throughout (singletiles.cuh).
 *
 * Others: on the tensor cores (tiles.cuh).
 *
 * Bits: every output is one sum over k in its order, whatever the tile, so tiles are chosen by the number of rows freely.
 */
#include "singletiles.cuh"
#include "tiles.cuh"

/* Grid: tiles of outputs, tiles of rows of x. */
template <int BM, int BN, int BK, int TM, int TN>
INLINE void single_body(float *__restrict__ y, const float *__restrict__ x, int64_t n, int64_t in, const float *__restrict__ w, int64_t out,
                        const void *__restrict__ bias, int bias_type) {
    auto store = [&](int64_t r, int64_t o, float sum) { y[r * out + o] = sum + (bias == nullptr ? 0 : element(bias, bias_type, o)); };
    single_tile<false, false, BM, BN, BK, TM, TN>({x, w, n, in, out}, (int64_t)blockIdx.y * BM, (int64_t)blockIdx.x * BN, 0, in, store);
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
