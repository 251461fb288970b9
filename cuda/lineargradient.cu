/*
 * dw += dy^T x and dbias += the sum of dy's rows, f32; dw [out, in], dy [n, out], x [n, in].
 *
 * Tiles of singletiles.cuh, whose depth is the rows. Every sum goes over the rows in their order.
 */
#include "singletiles.cuh"

/* Grid: tiles of in, tiles of out. */
#define GRADIENT(name, BM, BN, BK, TM, TN)                                                                                                \
    extern "C" __global__ void __launch_bounds__(BM / TM *(BN / TN), 2)                                                                   \
        name(float *dw, const float *dy, const float *x, int64_t n, int64_t out, int64_t in) {                                            \
        single_tile<true, true, BM, BN, BK, TM, TN>({dy, x, out, n, in}, blockIdx.y * (int64_t)BM, blockIdx.x * (int64_t)BN, 0, n,        \
                                                    [&](int64_t o, int64_t j, float sum) { dw[o * in + j] += sum; });                     \
    }

GRADIENT(linear_gradient_128, 128, 128, 8, 8, 8)
GRADIENT(linear_gradient_64, 64, 64, 16, 4, 4)
GRADIENT(linear_gradient_32, 32, 32, 16, 2, 4)

/* Grid: 32s of out; eight warps share the rows. */
KERNEL linear_gradient_bias(float *dbias, const float *dy, int64_t n, int64_t out) {
    __shared__ float sums[8][WARP];
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    const int64_t o = blockIdx.x * (int64_t)WARP + lane;
    float sum = 0;
    if (o < out) {
#pragma unroll 4
        for (int64_t i = warp; i < n; i += 8) {
            sum += dy[i * out + o];
        }
    }
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp == 0 && o < out) {
        for (int w = 1; w < 8; w++) {
            sum += sums[w][lane];
        }
        dbias[o] += sum;
    }
}
