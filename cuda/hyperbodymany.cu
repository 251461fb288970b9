/*
 * A hypernetwork's body (hyperbody.cuh) for many rows: 64 a cluster. Eight of them are a block's to finish, and then all blocks get what the
 * next product takes, in its two parts already. Weights come in pieces, four of them under way.
 */
#include "hyperbody.cuh"

#ifdef T2L_HOPPER

enum {
    MANY_ROWS = BODY_CLUSTER * BODY_ROWS,
    PIECE = 128, /* outputs of `down` at a time */
    PIECES = 4,  /* under way */
    PIECE_BYTES = PIECE * DOWN_PITCH,
    MOST_PIECES = 2 * BODY_BLOCKS + INNER / PIECE - 1,
    /* Rows of high and low parts as body_products take them: 16 bytes for each 16 of k and lane of four, and so many more that two rows lie in different banks. */
    X_SPLIT = LATENT * 4 + 64,
    H_SPLIT = OWN * 4 + 64,
    /* Shared memory: barriers, task outputs, x, h, two of sums, pieces of weights. */
    MANY_TASK = 128,
    MANY_X = MANY_TASK + MANY_ROWS * TASK_OWN * 4,
    MANY_H = MANY_X + MANY_ROWS * X_SPLIT,
    MANY_SUMS = MANY_H + MANY_ROWS * H_SPLIT,
    SUMS_BYTES = MANY_ROWS * SUM_PITCH * 4,
    MANY_PIECES = MANY_SUMS + 2 * SUMS_BYTES,
    MANY_BYTES = MANY_PIECES + PIECES * PIECE_BYTES
};

/* The pieces of weights: for each block `up`, then 128 outputs of `down` at a time. */
struct body_pieces {
    uint64_t *full;
    uint8_t *memory;
    const body_network &net;
    int blocks, rank;
    int next = 0, next_block = 0, next_output = -1; /* to be fetched; -1: up */

    __device__ __forceinline__ void fetch() {
        if (next_block == blocks) {
            return;
        }
        const body_block &block = net.block[next_block];
        uint8_t *to = memory + next % PIECES * PIECE_BYTES;
        if (next_output < 0) {
            body_fetch(full + next, to, UP_PITCH, block.up + (int64_t)rank * OWN * LATENT * 2, LATENT * 2, OWN, LATENT * 2);
            next_output = 0;
        } else {
            body_fetch(full + next, to, DOWN_PITCH, block.down + (int64_t)next_output * INNER * 2 + rank * OWN * 2, INNER * 2, min((int)PIECE, block.out - next_output), OWN * 2);
            next_output += PIECE;
            if (next_output >= block.out) {
                next_output = -1;
                next_block++;
            }
        }
        next++;
    }
    __device__ __forceinline__ const uint8_t *wait(int piece) const {
        barrier_wait(full + piece, 0);
        return memory + piece % PIECES * PIECE_BYTES;
    }
};

/* Where of a split row its pair of elements k and k + 1 lies, 8 bytes: high parts, low parts. */
INLINE int split_at(int k) {
    return k / 16 * 64 + k % 8 / 2 * 16 + k % 16 / 8 * 8;
}

/* 16 x 8 sums over 16 * STEPS of k for each of EIGHTS times eight rows: weights [16][PITCH] by split rows [..][X]. */
template <int STEPS, int PITCH, int X, int EIGHTS> INLINE void body_products(float (&sums)[EIGHTS][4], const uint8_t *w, const uint8_t *x) {
    const int lane = threadIdx.x % WARP;
    const uint8_t *row = w + lane % 16 * PITCH + lane / 16 * 16;
    const uint8_t *from = x + lane / 4 * X + lane % 4 * 16;
    float low[EIGHTS][4] = {};
#pragma unroll
    for (int e = 0; e < EIGHTS; e++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            sums[e][i] = 0;
        }
    }
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        const uint4 a = load_matrices(row + step * 32);
#pragma unroll
        for (int e = 0; e < EIGHTS; e++) {
            const uint4 parts = *(const uint4 *)(from + e * 8 * X + step * 64); /* high, low, high, low */
            mma(sums[e], a, parts.x, parts.z);
            mma(low[e], a, parts.y, parts.w);
        }
    }
#pragma unroll
    for (int e = 0; e < EIGHTS; e++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            sums[e][i] = sums[e][i] + low[e][i];
        }
    }
}

INLINE void hyper_body_rows(float *out, const float *x, int64_t n, int width, int blocks, const body_network &net) {
    OPERANDS_SHARED(shared);
    uint64_t *full = (uint64_t *)shared;
    float *task = (float *)(shared + MANY_TASK);
    uint8_t *xs = shared + MANY_X, *hs = shared + MANY_H;
    const int rank = blockIdx.x % BODY_CLUSTER, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int64_t first = blockIdx.x / BODY_CLUSTER * (int64_t)MANY_ROWS;
    const int own = rank * BODY_ROWS + warp; /* the warp's row */
    const int64_t row = first + own;
    if (threadIdx.x == 0) {
        for (int i = 0; i < MOST_PIECES; i++) {
            barrier_init(full + i, BODY_THREADS);
        }
        barriers_ready();
    }
    __syncthreads();
    let_next_launch_begin();
    body_pieces pieces = {full, shared + MANY_PIECES, net, blocks, rank};
    for (int i = 0; i < PIECES; i++) {
        pieces.fetch();
    }
    wait_for_launches_before();

    float4 v = fresh4(x + min(row, n - 1) * LATENT + lane * 4, true);
    if (net.embeddings != nullptr) {
        body_task(task, net, width, rank, first, n, MANY_ROWS);
        cluster_meet();
        v = body_task_norm(v, task, net, own);
    }
    int piece = 0, turn = 0;
    for (int b = 0; b < blocks; b++) {
        const body_block &block = net.block[b];
        const float4 in = body_block_norm(v, block, net.eps);
        const uint4 parts = split4(in.x, in.y, in.z, in.w);
        *(uint2 *)(xs + own * X_SPLIT + split_at(lane * 4)) = make_uint2(parts.x, parts.y);
        *(uint2 *)(xs + own * X_SPLIT + split_at(lane * 4 + 2)) = make_uint2(parts.z, parts.w);
        cluster_meet();
        for (int i = threadIdx.x; i < MANY_ROWS * LATENT / 4; i += BODY_THREADS) {
            const int r = i / (LATENT / 4);
            float *at = (float *)(xs + r * X_SPLIT + i % (LATENT / 4) * 16);
            if (r / BODY_ROWS != rank) {
                *(float4 *)at = load_cluster(at, r / BODY_ROWS);
            }
        }
        const uint8_t *w = pieces.wait(piece++);
        __syncthreads();
        {
            enum { EIGHTS = MANY_ROWS / 8 / 2 };
            const int tile = warp % 4, rows = warp / 4 * (MANY_ROWS / 2);
            float sums[EIGHTS][4];
            body_products<LATENT / 16, UP_PITCH, X_SPLIT, EIGHTS>(sums, w + tile * 16 * UP_PITCH, xs + rows * X_SPLIT);
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const int o = tile * 16 + lane / 4 + i / 2 * 8;
                const float bias = block.up_bias == nullptr ? 0 : element(block.up_bias, block.up_bias_type, rank * OWN + o);
#pragma unroll
                for (int e = 0; e < EIGHTS; e++) {
                    const float h = apply<T2L_SILU>(sums[e][i] + bias);
                    const uint32_t high = pack_bf16(h, 0) & 0xffff;
                    const uint32_t low = pack_bf16(h - __uint_as_float(high << 16), 0);
                    uint16_t *to = (uint16_t *)(hs + (rows + e * 8 + lane % 4 * 2 + i % 2) * H_SPLIT + split_at(o)) + o % 2;
                    to[0] = (uint16_t)high;
                    to[2] = (uint16_t)low;
                }
            }
        }
        __syncthreads();
        pieces.fetch();
        for (int o = 0; o < block.out; o += PIECE) {
            const uint8_t *down = pieces.wait(piece++);
            __syncthreads();
            float *partial = (float *)(shared + MANY_SUMS + turn * SUMS_BYTES);
            turn ^= 1; /* others still read those before */
            if (o + warp * 16 < block.out) {
                enum { EIGHTS = MANY_ROWS / 8 };
                float sums[EIGHTS][4];
                body_products<OWN / 16, DOWN_PITCH, H_SPLIT, EIGHTS>(sums, down + warp * 16 * DOWN_PITCH, hs);
#pragma unroll
                for (int e = 0; e < EIGHTS; e++) {
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        partial[(e * 8 + lane % 4 * 2 + i % 2) * SUM_PITCH + warp * 16 + lane / 4 + i / 2 * 8] = sums[e][i];
                    }
                }
            }
            cluster_meet();
            pieces.fetch();
            if (o + lane * 4 < block.out) {
                const float4 y = body_finished(partial + own * SUM_PITCH + lane * 4, block, o + lane * 4);
                const float4 z = block.residual ? body_added(v, y) : y;
                if (b + 1 < blocks) {
                    v = z;
                } else if (row < n) {
                    *(float4 *)(out + row * block.out + o + lane * 4) = z;
                }
            }
        }
    }
    cluster_meet(); /* others may still read this block's sums */
}
#endif

/* As hyper_body. Grid: a cluster for 64 rows. */
extern "C" __global__ void __launch_bounds__(256, 1)
    hyper_body_many(float *out, const float *x, int64_t n, int width, int blocks, const __grid_constant__ body_network net) {
#ifdef T2L_HOPPER
    hyper_body_rows(out, x, n, width, blocks, net);
#else
    __trap();
#endif
}
