/*
 * dx = dy w, or added to dx, through a weight [out, in] of any type, by tiles; dx [n, in], dy [n, out].
 *
 * f32 weights: f32 throughout (singletiles.cuh). Others: on the tensor cores, m16n8k16 with f32 sums, dy as its bf16 value and what that
 * leaves over, and so w (a bf16 weight is just itself), as the forward has it (tiles.cuh); but here the sum goes over the rows of w, whose
 * tile lies in shared memory as read, and the instruction that loads b's operand turns it.
 *
 * Bits: every sum goes over out in its order, whatever the tile. Where w is tall, it is cut into parts that go to blocks of their own and
 * are added in their order: the cut follows from w alone.
 */
#include "singletiles.cuh"
#include "tiles.cuh"

/* Where sums go: dx, or one of several parts [n, in]. */
struct backward_job {
    float *to;
    int64_t n, in, out, part; /* of out, a multiple of 32 */
    int add;

    __device__ __forceinline__ int64_t from() const {
        return blockIdx.z * part;
    }
    __device__ __forceinline__ int64_t until() const {
        return min(from() + part, out);
    }
    __device__ __forceinline__ void store(int64_t r, int64_t j, float v) const {
        float *p = to + (blockIdx.z * n + r) * in + j;
        *p = add ? *p + v : v;
    }
};

/* Grid: tiles of in, tiles of rows, parts of out. */
#define SINGLE(name, BM, BN, BK, TM, TN)                                                                                                  \
    extern "C" __global__ void __launch_bounds__(BM / TM *(BN / TN), 2)                                                                   \
        name(const float *dy, const float *w, int64_t row_bytes, backward_job job) {                                                      \
        auto store = [&](int64_t r, int64_t j, float sum) { job.store(r, j, sum); };                                                      \
        single_tile<false, true, BM, BN, BK, TM, TN>({dy, w, job.n, job.out, job.in}, blockIdx.y * (int64_t)BM,                           \
                                                     blockIdx.x * (int64_t)BN, job.from(), job.until(), store);                           \
    }

SINGLE(linear_backward_f32_128, 128, 128, 8, 8, 8)
SINGLE(linear_backward_f32_64, 64, 64, 16, 4, 4)
SINGLE(linear_backward_f32_32, 32, 32, 16, 2, 4)

/* Shared memory: [2] of high and low parts of dy [BM][32] and of w [32][BN], their rows 16 bytes apart. */
template <int TYPE, int BM, int BN> struct turned {
    enum { PITCH = 80, W_PITCH = BN * 2 + 16, PARTS = TYPE == T2L_BF16 ? 1 : 2, X = BM * PITCH, W = 32 * W_PITCH };
    enum { BUFFER = 2 * X + PARTS * W, SHARED = 2 * BUFFER };
};

template <int TYPE, int BM, int BN, int WM, int WN> INLINE void turned_tile(const float *__restrict__ dy, const uint8_t *__restrict__ w, int64_t row_bytes, const backward_job &job) {
    typedef turned<TYPE, BM, BN> S;
    enum { BK = 32, THREADS = BM / WM * (BN / WN) * WARP, MT = WM / 16, NT = WN / 8, XS = BM * 8 / THREADS, WS = BN * 4 / THREADS };
    static_assert(XS * THREADS == BM * 8 && WS * THREADS == BN * 4 && NT % 2 == 0, "a whole number of loads a thread");
    DYNAMIC_SHARED(shared);
    const int lane = threadIdx.x % WARP;
    const int warp_row = threadIdx.x / WARP / (BN / WN) * WM;
    const int warp_column = threadIdx.x / WARP % (BN / WN) * WN;
    const int64_t first_row = blockIdx.y * (int64_t)BM, first = blockIdx.x * (int64_t)BN, until = job.until();
    const bool vector = vectors(dy, job.out);
    float4 next_x[XS];
    raw_weights next_w[WS];
    float acc[MT][NT][4] = {};

    auto fetch = [&](int64_t k) {
#pragma unroll
        for (int i = 0; i < XS; i++) {
            int item = threadIdx.x + i * THREADS;
            next_x[i] = load4(dy + min(first_row + item / 8, job.n - 1) * job.out, k + item % 8 * 4, job.out, vector);
        }
#pragma unroll
        for (int i = 0; i < WS; i++) {
            int item = threadIdx.x + i * THREADS;
            int64_t o = k + item / (BN / 8), at = first + item % (BN / 8) * 8;
            next_w[i] = raw_weights{};
            if (o < until && at < job.in) {
                eights<TYPE>::fetch(next_w[i], w + o * row_bytes, at);
            }
        }
    };
    auto put = [&](uint8_t *buffer) {
#pragma unroll
        for (int i = 0; i < XS; i++) {
            int item = threadIdx.x + i * THREADS;
            uint4 v = split4(next_x[i].x, next_x[i].y, next_x[i].z, next_x[i].w);
            uint8_t *to = buffer + item / 8 * S::PITCH + item % 8 * 8;
            *(uint2 *)to = make_uint2(v.x, v.z);
            *(uint2 *)(to + S::X) = make_uint2(v.y, v.w);
        }
#pragma unroll
        for (int i = 0; i < WS; i++) {
            int item = threadIdx.x + i * THREADS;
            uint32_t high[4], low[4];
            eights<TYPE>::unpack(next_w[i], first + item % (BN / 8) * 8, high, low);
            uint8_t *to = buffer + 2 * S::X + item / (BN / 8) * S::W_PITCH + item % (BN / 8) * 16;
            *(uint4 *)to = make_uint4(high[0], high[1], high[2], high[3]);
            if (S::PARTS == 2) {
                *(uint4 *)(to + S::W) = make_uint4(low[0], low[1], low[2], low[3]);
            }
        }
    };

    fetch(job.from());
    put(shared);
    __syncthreads();
    int buffer = 0;
    for (int64_t k0 = job.from(); k0 < until; k0 += BK) {
        const bool more = k0 + BK < until;
        if (more) {
            fetch(k0 + BK);
        }
        /* Lanes 0-7, 8-15, ... give the rows of the four matrices of a load. */
        const uint8_t *at_x = shared + buffer * S::BUFFER + (warp_row + lane % 16) * S::PITCH + lane / 16 * 16;
        const uint8_t *at_w = shared + buffer * S::BUFFER + 2 * S::X + lane % 16 * S::W_PITCH + (warp_column + lane / 16 * 8) * 2;
#pragma unroll
        for (int step = 0; step < 2; step++) {
            uint4 a[MT], rest[MT];
#pragma unroll
            for (int m = 0; m < MT; m++) {
                a[m] = load_matrices(at_x + m * 16 * S::PITCH + step * 32);
                rest[m] = load_matrices(at_x + S::X + m * 16 * S::PITCH + step * 32);
            }
#pragma unroll
            for (int part = 0; part < S::PARTS; part++) {
#pragma unroll
                for (int j = 0; j < NT / 2; j++) {
                    uint4 b = load_matrices_transposed(at_w + part * S::W + step * 16 * S::W_PITCH + j * 32);
#pragma unroll
                    for (int m = 0; m < MT; m++) {
                        mma(acc[m][2 * j], a[m], b.x, b.y);
                        mma(acc[m][2 * j + 1], a[m], b.z, b.w);
                        if (part == 0) {
                            mma(acc[m][2 * j], rest[m], b.x, b.y);
                            mma(acc[m][2 * j + 1], rest[m], b.z, b.w);
                        }
                    }
                }
            }
        }
        if (more) {
            put(shared + (buffer ^ 1) * S::BUFFER);
        }
        __syncthreads();
        buffer ^= 1;
    }
#pragma unroll
    for (int m = 0; m < MT; m++) {
#pragma unroll
        for (int j = 0; j < NT; j++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int64_t r = first_row + warp_row + m * 16 + lane / 4 + i / 2 * 8;
                int64_t c = first + warp_column + j * 8 + lane % 4 * 2 + i % 2;
                if (r < job.n && c < job.in) {
                    job.store(r, c, acc[m][j][i]);
                }
            }
        }
    }
}

/* Grid: tiles of in, tiles of rows, parts of out. Rows of 16-bit weights start at multiples of 16 bytes. */
#define TENSOR(name, TYPE, BM, BN, WM, WN)                                                                                                \
    extern "C" __global__ void __launch_bounds__(BM / WM *(BN / WN) * WARP, BM == 128 ? 1 : 4)                                            \
        name(const float *dy, const uint8_t *w, int64_t row_bytes, backward_job job) {                                                    \
        turned_tile<TYPE, BM, BN, WM, WN>(dy, w, row_bytes, job);                                                                         \
    }

#define TENSORS(name, TYPE)                                                                                                               \
    TENSOR(linear_backward_##name##_128, TYPE, 128, 128, 64, 32)                                                                          \
    TENSOR(linear_backward_##name##_64, TYPE, 64, 32, 32, 16)

TENSORS(f16, T2L_F16)
TENSORS(bf16, T2L_BF16)
TENSORS(q4_0, T2L_Q4_0)
TENSORS(q4_1, T2L_Q4_1)
TENSORS(q8_0, T2L_Q8_0)
TENSORS(q4_k, T2L_Q4_K)
TENSORS(q6_k, T2L_Q6_K)

enum { ANY_ROWS = 4 };

/* Rows of 16-bit weights at any place. Grid: 256s of in, fours of rows, parts of out. */
template <int TYPE> INLINE void any_body(const float *dy, const uint8_t *w, const backward_job &job) {
    const int64_t j = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
    const int64_t first = blockIdx.y * (int64_t)ANY_ROWS;
    if (j >= job.in) {
        return;
    }
    float sums[ANY_ROWS] = {};
    for (int64_t o = job.from(); o < job.until(); o++) {
        float v = element(w, TYPE, o * job.in + j);
#pragma unroll
        for (int r = 0; r < ANY_ROWS; r++) {
            sums[r] = fmaf(dy[min(first + r, job.n - 1) * job.out + o], v, sums[r]);
        }
    }
#pragma unroll
    for (int r = 0; r < ANY_ROWS; r++) {
        if (first + r < job.n) {
            job.store(first + r, j, sums[r]);
        }
    }
}

KERNEL linear_backward_any_f16(const float *dy, const uint8_t *w, int64_t, backward_job job) {
    any_body<T2L_F16>(dy, w, job);
}

KERNEL linear_backward_any_bf16(const float *dy, const uint8_t *w, int64_t, backward_job job) {
    any_body<T2L_BF16>(dy, w, job);
}

/* dx [size] = the sum of parts [count, size] */
KERNEL linear_backward_parts(float *dx, const float *parts, int64_t size, int64_t count, int add) {
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < size; i += (int64_t)gridDim.x * blockDim.x) {
        float sum = parts[i];
        for (int64_t p = 1; p < count; p++) {
            sum += parts[p * size + i];
        }
        dx[i] = add ? dx[i] + sum : sum;
    }
}
