/*
 * y = f(x w^T + bias) + residual, for several w [out, in] of one x [n, in] in one launch, and f(x gate^T + bias) * (x up^T + bias): bf16
 * weights, in a multiple of 64, on Hopper (panels.cuh).
 *
 * Bytes: the weights once for every N rows of x, x once for every UNITS * 64 outputs. Few outputs would leave most of the device idle, so
 * k is cut into `slices`, one for each block of a cluster; then each block adds up a part of the tile's rows, slice by slice, out of the
 * shared memory of all, and finishes it. Grid: (tiles of outputs) * slices, tiles of rows.
 *
 * Bits: sums of slices in their order; slices follow from w's shape, and nothing else that may vary shows.
 */
#include "activation.cuh"
#include "panels.cuh"

/* Eight bytes a field. */
struct panel_product {
    const uint8_t *w;
    const void *bias;      /* [out] or null */
    const float *residual; /* [n, out] or null */
    float *y;              /* [n, out] */
    int64_t out;
    int32_t bias_type, first_tile;
};

enum { PANEL_PRODUCTS = 4 };

/* The last parameter of a kernel: its fields are passed as so many 64-bit parameters. */
struct panel_products {
    panel_product of[PANEL_PRODUCTS];
};

#ifdef T2L_HOPPER

/* f numbered as t2l_activation; none: x. */
INLINE float activated(float x, int f) {
    return f >= T2L_SILU && f <= T2L_RELU ? activate(f, x) : x;
}

INLINE float biased(const panel_product &p, float v, int64_t o) {
    return p.bias == nullptr ? v : v + element(p.bias, p.bias_type, o);
}

template <int N, int UNITS, int LOADERS, bool GATED>
INLINE void panels_body(const float *x, int64_t n, int64_t in, int slices, int stages, int count, int f, const panel_products &products) {
    typedef panel<N, UNITS, LOADERS> P;
    enum { TILE = GATED ? UNITS * UNIT / 2 : UNITS * UNIT, PITCH = UNITS * UNIT + 4 };
    OPERANDS_SHARED(shared);
    const int rank = blockIdx.x % slices;
    const int tile = blockIdx.x / slices;
    int which = 0;
    while (!GATED && which + 1 < count && tile >= products.of[which + 1].first_tile) {
        which++;
    }
    const panel_product &p = products.of[which];
    const int64_t first = (int64_t)(tile - p.first_tile) * TILE;
    const int64_t first_row = (int64_t)blockIdx.y * N;
    const int blocks = (int)(in / DEPTH);
    const int from = blocks * rank / slices;
    const int to = blocks * (rank + 1) / slices;
    ring<P> r(shared, stages);
    r.prepare();
    let_next_launch_begin();
    float sums[N / 2];
    if (threadIdx.x >= P::FETCHER) {
        const int unit = (threadIdx.x - P::FETCHER) / WARP;
        const int64_t output = first + (GATED ? unit / 2 : unit) * UNIT + threadIdx.x % WARP;
        const int64_t rows[2] = {min(output, p.out - 1), min(output + WARP, p.out - 1)};
        fetch_weights<P>(r, unit, GATED && unit % 2 == 1 ? products.of[1].w : p.w, in * 2, rows, from, to);
    } else if (threadIdx.x >= P::LOADER) {
        int turn = 0;
        wait_for_launches_before();
        load_rows<P, N, LOADERS>(r, (threadIdx.x - P::LOADER) / WARPGROUP, turn, x, first_row, n, in, from, to);
    } else {
#pragma unroll
        for (int i = 0; i < N / 2; i++) {
            sums[i] = 0;
        }
        multiply<P, N>(r, threadIdx.x / WARPGROUP, true, to - from, sums);
        wait_for_launches_before();
    }
    __syncthreads();
    float *partial = (float *)r.stages; /* [N][PITCH] */
    if (threadIdx.x < P::LOADER) {
        spread_sums<PITCH>(partial + threadIdx.x / WARPGROUP * UNIT, sums, N / 8);
    }
    if (slices == 1) {
        __syncthreads();
    } else {
        cluster_meet();
    }
    const bool vector = ((uintptr_t)p.y | (uintptr_t)p.residual | (uintptr_t)(p.out * 4)) % 16 == 0;
    const int each = N / slices;
    for (int item = threadIdx.x; item < each * (TILE / 4); item += P::THREADS) {
        const int row = rank * each + item / (TILE / 4);
        const int column = item % (TILE / 4) * 4;
        const int64_t o = first + column;
        if (first_row + row >= n || o >= p.out) {
            continue;
        }
        const float *at = partial + row * PITCH + (GATED ? column / UNIT * 2 * UNIT + column % UNIT : column);
        const float4 sum = all_slices(at, slices);
        float v[4] = {sum.x, sum.y, sum.z, sum.w};
        const int valid = (int)min((int64_t)4, p.out - o);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            v[i] = activated(i < valid ? biased(p, v[i], o + i) : 0, f);
        }
        if (GATED) {
            const float4 other = all_slices(at + UNIT, slices);
            const float u[4] = {other.x, other.y, other.z, other.w};
#pragma unroll
            for (int i = 0; i < 4; i++) {
                v[i] *= i < valid ? biased(products.of[1], u[i], o + i) : 0;
            }
        }
        const int64_t place = (first_row + row) * p.out + o;
        if (vector) {
            if (p.residual != nullptr) {
                const float4 old = *(const float4 *)(p.residual + place);
                v[0] += old.x, v[1] += old.y, v[2] += old.z, v[3] += old.w;
            }
            *(float4 *)(p.y + place) = make_float4(v[0], v[1], v[2], v[3]);
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                if (i < valid) {
                    p.y[place + i] = p.residual == nullptr ? v[i] : v[i] + p.residual[place + i];
                }
            }
        }
    }
    if (slices > 1) {
        cluster_meet(); /* others may still read this block's sums */
    }
}
#define PANELS_BODY(N, UNITS, LOADERS, GATED) panels_body<N, UNITS, LOADERS, GATED>(x, n, in, slices, stages, count, f, products)
#else
#define PANELS_BODY(N, UNITS, LOADERS, GATED) __trap()
#endif

#define PANELS(name, N, UNITS, LOADERS, GATED)                                                                                              \
    extern "C" __global__ void __launch_bounds__(UNITS * 160 + LOADERS * 128, 1)                                                            \
        name(const float *x, int64_t n, int64_t in, int slices, int stages, int count, int f, const __grid_constant__ panel_products products) { \
        PANELS_BODY(N, UNITS, LOADERS, GATED);                                                                                              \
    }

#define PANELS_N(N)                                                                                                                         \
    PANELS(linear_panels_##N##_1, N, 1, 2, false)                                                                                           \
    PANELS(linear_panels_##N##_2, N, 2, 2, false)                                                                                           \
    PANELS(gated_panels_##N##_2, N, 2, 2, true)

PANELS_N(16)
PANELS_N(32)
PANELS_N(48)
PANELS_N(64)
PANELS_N(96)
PANELS_N(128)
