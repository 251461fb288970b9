/*
 * The products of an encoder's layer with the layer norms between them, bf16 weights on Hopper (panels.cuh):
 *
 *   y = f(z w^T + bias) for up to three w, and y = f(z gate^T) * (z up^T + bias), where z is x or its layer norm;
 *   y = x w^T + bias + r, where r is `residual` or its layer norm, and with y its parts' sums for the next layer norm.
 *
 * A norm's mean and factor come from its input's parts: mean and squared deviations of every 64 elements, left by the product that made
 * them, so no launch is needed for a norm and its output is never stored.
 *
 * Geometry, slices and clusters as in linearpanels.cu. Bits: as there; parts are added up in their order.
 */
#include "activation.cuh"
#include "panels.cuh"

struct encoder_product {
    const uint8_t *w;
    const void *bias; /* [out] or null */
    float *y;         /* [n, out] */
    int64_t out;
    int32_t bias_type, first_tile;
};

enum { ENCODER_PRODUCTS = 3, PART = 64, LANE_PARTS = 8, MOST_PARTS = 4 * LANE_PARTS };

/* The last parameter of a kernel: its fields are passed as so many 64-bit parameters. Eight bytes a field. */
struct encoder_products {
    encoder_product of[ENCODER_PRODUCTS];
    const float *parts; /* [n, width / 64, 2] of the norm's input; null: no norm */
    const void *norm_weight, *norm_bias; /* [width] */
    int32_t norm_weight_type, norm_bias_type;
    float eps;
    int32_t part_count;
    const float *residual; /* [n, out] */
    float *parts_out;      /* [n, out / 64, 2] of y, or null */
};

#ifdef T2L_HOPPER

/* Where in shared memory the barrier lies that row_norms arrive at, and what they know; of more rows behind the stages. */
enum { KNOWN = 512, ROWS_KNOWN = 576, FEW_ROWS = (BARRIERS - ROWS_KNOWN) / 8 };

template <typename T> INLINE T quad_sum(T v) {
    v += __shfl_xor_sync(~0u, v, 1);
    return v + __shfl_xor_sync(~0u, v, 2);
}

INLINE float4 four_elements(const void *p, int type, int64_t i) {
    return type == T2L_F32 ? *(const float4 *)((const float *)p + i)
                           : make_float4(element(p, type, i), element(p, type, i + 1), element(p, type, i + 2), element(p, type, i + 3));
}

/* Mean and factor of N rows from first_row on; by `threads` threads, four of which take a row. */
template <int N> INLINE void row_norms(float2 *to, int threads, const encoder_products &p, int64_t first_row, int64_t n) {
    const int lane = threadIdx.x % 4;
    for (int row = threadIdx.x / 4; row < N; row += threads / 4) {
        const float2 *from = (const float2 *)p.parts + min(first_row + row, n - 1) * p.part_count;
        float2 part[LANE_PARTS];
        double sum = 0, squares = 0;
#pragma unroll
        for (int i = 0; i < LANE_PARTS; i++) {
            part[i] = lane + 4 * i < p.part_count ? __ldcg(from + lane + 4 * i) : make_float2(0, 0);
            sum += part[i].x;
        }
        const double mean = quad_sum(sum) / p.part_count;
#pragma unroll
        for (int i = 0; i < LANE_PARTS; i++) {
            const double apart = part[i].x - mean;
            squares += lane + 4 * i < p.part_count ? part[i].y + PART * apart * apart : 0;
        }
        squares = quad_sum(squares);
        if (lane == 0) {
            to[row] = make_float2((float)mean, (float)(1 / sqrt(squares / ((double)PART * p.part_count) + p.eps)));
        }
    }
}

INLINE float normed(float v, float2 row, float weight, float bias) {
    return fmaf(__fmul_rn(v - row.x, row.y), weight, bias);
}

INLINE float4 normed4(float4 v, float2 row, float4 weight, float4 bias) {
    return make_float4(normed(v.x, row, weight.x, bias.x), normed(v.y, row, weight.y, bias.y), normed(v.z, row, weight.z, bias.z), normed(v.w, row, weight.w, bias.w));
}

/* For load_rows: the layer norm, whose rows' numbers are `rows` once `known`. */
struct layer_normed {
    const encoder_products &p;
    const float2 *rows;
    uint64_t *known;
    float4 weight, bias;

    __device__ __forceinline__ void columns(int64_t k) {
        if (p.parts != nullptr) {
            weight = four_elements(p.norm_weight, p.norm_weight_type, k);
            bias = four_elements(p.norm_bias, p.norm_bias_type, k);
        }
    }
    __device__ __forceinline__ void ready() const {
        barrier_wait(known, 0);
    }
    __device__ __forceinline__ float4 operator()(float4 v, int row) const {
        return p.parts == nullptr ? v : normed4(v, rows[row], weight, bias);
    }
};

INLINE float4 added(float4 v, float4 u) {
    return make_float4(v.x + u.x, v.y + u.y, v.z + u.z, v.w + u.w);
}

/* Mean and squared deviations of the 64 elements that 16 lanes have four each of. */
INLINE float2 part_of(float4 v) {
    float sum = (v.x + v.y) + (v.z + v.w);
#pragma unroll
    for (int step = 8; step > 0; step /= 2) {
        sum += __shfl_xor_sync(~0u, sum, step);
    }
    const float mean = sum * (1.0f / PART);
    const float4 apart = make_float4(v.x - mean, v.y - mean, v.z - mean, v.w - mean);
    float squares = (apart.x * apart.x + apart.y * apart.y) + (apart.z * apart.z + apart.w * apart.w);
#pragma unroll
    for (int step = 8; step > 0; step /= 2) {
        squares += __shfl_xor_sync(~0u, squares, step);
    }
    return make_float2(mean, squares);
}

INLINE float4 activated4(float4 v, int f) {
    if (f < T2L_SILU || f > T2L_RELU) {
        return v;
    }
    return make_float4(activate(f, v.x), activate(f, v.y), activate(f, v.z), activate(f, v.w));
}

/* All outs are multiples of 64, all rows aligned to 16 bytes. ADDED: residual and parts_out, and the norm is the residual's; else it is x's. */
template <int N, int UNITS, int LOADERS, bool GATED, bool ADDED>
INLINE void encoder_body(const float *x, int64_t n, int64_t in, int slices, int stages, int count, int f, const encoder_products &products) {
    typedef panel<N, UNITS, LOADERS> P;
    enum { TILE = GATED ? UNITS * UNIT / 2 : UNITS * UNIT, FOURS = TILE / 4, PITCH = UNITS * UNIT + 4 };
    OPERANDS_SHARED(shared);
    uint64_t *known = (uint64_t *)(shared + KNOWN);
    const int rank = blockIdx.x % slices;
    const int tile = blockIdx.x / slices;
    int which = 0;
    while (!GATED && which + 1 < count && tile >= products.of[which + 1].first_tile) {
        which++;
    }
    const encoder_product &p = products.of[which];
    const int64_t first = (int64_t)(tile - p.first_tile) * TILE;
    const int64_t first_row = (int64_t)blockIdx.y * N;
    const int blocks = (int)(in / DEPTH);
    const int from = blocks * rank / slices;
    const int to = blocks * (rank + 1) / slices;
    ring<P> r(shared, stages);
    float2 *rows = (float2 *)(N <= FEW_ROWS ? shared + ROWS_KNOWN : r.stages + stages * P::STAGE);
    if (threadIdx.x == 0) {
        barrier_init(known, (uint32_t)P::LOADER);
    }
    r.prepare();
    let_next_launch_begin();
    float sums[N / 2];
    if (threadIdx.x >= P::FETCHER) {
        const int unit = (threadIdx.x - P::FETCHER) / WARP;
        const int64_t output = first + (GATED ? unit / 2 : unit) * UNIT + threadIdx.x % WARP;
        const int64_t own[2] = {min(output, p.out - 1), min(output + WARP, p.out - 1)};
        fetch_weights<P>(r, unit, GATED && unit % 2 == 1 ? products.of[1].w : p.w, in * 2, own, from, to);
    } else if (threadIdx.x >= P::LOADER) {
        int turn = 0;
        wait_for_launches_before();
        const int group = (threadIdx.x - P::LOADER) / WARPGROUP;
        if (ADDED) {
            load_rows<P, N, LOADERS>(r, group, turn, x, first_row, n, in, from, to);
        } else {
            load_rows<P, N, LOADERS>(r, group, turn, x, first_row, n, in, from, to, layer_normed{products, rows, known, {}, {}});
        }
    } else {
        wait_for_launches_before();
        if (products.parts != nullptr) {
            row_norms<N>(rows, P::LOADER, products, first_row, n);
        }
        barrier_arrive(known);
#pragma unroll
        for (int i = 0; i < N / 2; i++) {
            sums[i] = 0;
        }
        multiply<P, N>(r, threadIdx.x / WARPGROUP, true, to - from, sums);
    }
    __syncthreads();
    float *partial = (float *)r.stages; /* [N][PITCH] */
    if (threadIdx.x < P::LOADER) {
        spread_sums<PITCH>(partial + threadIdx.x / WARPGROUP * UNIT, sums, N / 8);
    }
    const int each = N / slices;
    auto old_of = [&](int item) {
        const int64_t row = first_row + rank * each + item / FOURS, o = first + item % FOURS * 4;
        return ADDED && item < each * FOURS && row < n && o < p.out ? fresh4(products.residual + row * p.out + o, true) : make_float4(0, 0, 0, 0);
    };
    float4 old = old_of(threadIdx.x); /* on its way while the cluster meets */
    if (slices == 1) {
        __syncthreads();
    } else {
        cluster_meet();
    }
    for (int item = threadIdx.x; item < each * FOURS; item += P::THREADS) { /* whole warps */
        const int row = rank * each + item / FOURS;
        const int column = item % FOURS * 4;
        const int64_t o = first + column;
        const bool live = first_row + row < n && o < p.out;
        const float *at = partial + row * PITCH + (GATED ? column / UNIT * 2 * UNIT + column % UNIT : column);
        float4 v = all_slices(at, slices);
        if (p.bias != nullptr && live) {
            v = added(v, four_elements(p.bias, p.bias_type, o));
        }
        v = activated4(v, f);
        if (GATED) {
            float4 u = all_slices(at + UNIT, slices);
            const encoder_product &up = products.of[1];
            if (up.bias != nullptr && live) {
                u = added(u, four_elements(up.bias, up.bias_type, o));
            }
            v = make_float4(v.x * u.x, v.y * u.y, v.z * u.z, v.w * u.w);
        }
        if (ADDED) {
            if (item != threadIdx.x) {
                old = old_of(item);
            }
            if (products.parts != nullptr && live) {
                old = normed4(old, rows[row], four_elements(products.norm_weight, products.norm_weight_type, o),
                              four_elements(products.norm_bias, products.norm_bias_type, o));
            }
            v = added(v, old);
            const float2 part = part_of(v);
            if (live && item % 16 == 0) {
                ((float2 *)products.parts_out)[(first_row + row) * (p.out / PART) + o / PART] = part;
            }
        }
        if (live) {
            *(float4 *)(p.y + (first_row + row) * p.out + o) = v;
        }
    }
    if (slices > 1) {
        cluster_meet(); /* others may still read this block's sums */
    }
}
#define ENCODER_BODY(N, UNITS, LOADERS, GATED, ADDED) encoder_body<N, UNITS, LOADERS, GATED, ADDED>(x, n, in, slices, stages, count, f, products)
#else
#define ENCODER_BODY(N, UNITS, LOADERS, GATED, ADDED) __trap()
#endif

#define ENCODER(name, N, UNITS, LOADERS, GATED, ADDED)                                                                                      \
    extern "C" __global__ void __launch_bounds__(UNITS * 160 + LOADERS * 128, 1)                                                            \
        name(const float *x, int64_t n, int64_t in, int slices, int stages, int count, int f, const __grid_constant__ encoder_products products) { \
        ENCODER_BODY(N, UNITS, LOADERS, GATED, ADDED);                                                                                      \
    }

#define ENCODERS(N, LOADERS)                                    \
    ENCODER(encoder_products_##N, N, 2, LOADERS, false, false)  \
    ENCODER(encoder_gated_##N, N, 2, LOADERS, true, false)      \
    ENCODER(encoder_added_##N, N, 2, LOADERS, false, true)

ENCODERS(16, 4)
ENCODERS(32, 4)
ENCODERS(48, 4)
ENCODERS(64, 4)
ENCODERS(96, 2)
ENCODERS(128, 2)
