/*
 * A hypernetwork's heads, all modules, layers and descriptions in one launch: z w^T + bias, scaled and shifted, written where LoRA reads
 * it: A [layers, rank, in] and B [layers, out, rank] of each adapter.
 *
 * Bytes: each head's weights once (for more rows than a tile has, again from the second cache), each factor written once, and as much
 * read if it is shifted; 2 flops a weight and row. Few rows (one description has a row a layer) make tiles of 32 x 128, more make
 * 128 x 128; see tiles.cuh. On Hopper, blocks that stay take as many 64-column units each, see panels.cuh. Columns go in the order in
 * which a factor's elements lie, so that stores are whole: for B, the columns of one output feature for all ranks come from as many
 * places of w.
 *
 * Bits: those of the product by tiles (lineartiles.cu, linearpanels.cu without slices) followed by lora_factor_cut (lorafactor.cu).
 */
#include "panels.cuh"
#include "tiles.cuh"

/* One factor of one module: rows are (description, layer), columns a layer's elements of the factor. Eight bytes a field. */
struct head_cut {
    const float *z;   /* [rows, in] */
    const uint8_t *w; /* its first row for this factor */
    const uint8_t *bias;
    const float *scale; /* [layers, elements] or null */
    const float *shift;
    int64_t rank_stride; /* rows of w from a rank to the next */
    int32_t rank, transposed;
    int32_t features, layers;
    int32_t rows, first_out; /* out[first_out + description] */
    int32_t first_tile, bias_type; /* a tile has 128 columns, or 64 in hyper_panels */
};

enum { CUTS = 16, OUTS = 224 };

/* The last parameter of a kernel: its fields are passed as so many 64-bit parameters. */
struct head_cuts {
    head_cut cut[CUTS];
    float *out[OUTS];
};

struct head_job {
    const head_cut &cut;
    float *const *out;
    int64_t row_bytes;
    int size;

    /* Of w, for element e. */
    __device__ __forceinline__ int64_t column(int64_t e) const {
        uint32_t at = (uint32_t)e;
        uint32_t across = cut.transposed ? cut.rank : cut.features;
        uint32_t i = at % across;
        uint32_t j = at / across;
        return cut.transposed ? i * cut.rank_stride + j : j * cut.rank_stride + i;
    }
    __device__ __forceinline__ const uint8_t *row(int64_t e) const {
        return cut.w + column(e) * row_bytes;
    }
    __device__ __forceinline__ float finished(float v, int64_t at, int64_t e) const {
        v = cut.bias == nullptr ? v : v + element(cut.bias, cut.bias_type, column(e));
        v = cut.scale == nullptr ? v : __fmul_rn(v, cut.scale[at]);
        return cut.shift == nullptr ? v : __fadd_rn(v, cut.shift[at]);
    }
    /* Four, or as many as there are from e on. */
    __device__ __forceinline__ void store4(int64_t r, int64_t e, float4 four) const {
        int64_t at = (uint32_t)r % (uint32_t)cut.layers * (int64_t)size + e;
        float *to = out[cut.first_out + (uint32_t)r / (uint32_t)cut.layers] + at;
        const float v[4] = {four.x, four.y, four.z, four.w};
        if (((uintptr_t)to & 15) == 0 && e + 4 <= size) {
            *(float4 *)to = make_float4(finished(v[0], at, e), finished(v[1], at + 1, e + 1), finished(v[2], at + 2, e + 2), finished(v[3], at + 3, e + 3));
            return;
        }
        for (int i = 0; i < 4 && e + i < size; i++) {
            to[i] = finished(v[i], at + i, e + i);
        }
    }
    __device__ __forceinline__ void store(int64_t r, int64_t e, float a, float b) const {
        uint32_t description = (uint32_t)r / (uint32_t)cut.layers;
        uint32_t layer = (uint32_t)r % (uint32_t)cut.layers;
        int64_t at = (int64_t)layer * size + e;
        float *to = out[cut.first_out + description] + at;
        a = finished(a, at, e);
        if (e + 1 == size) {
            *to = a;
            return;
        }
        b = finished(b, at + 1, e + 1);
        if (((uintptr_t)to & 7) == 0) {
            *(float2 *)to = make_float2(a, b);
        } else {
            to[0] = a;
            to[1] = b;
        }
    }
};

/* Grid: tiles of columns of all cuts, tiles of rows. */
template <int TYPE, int BM, int BN, int WM, int WN> INLINE void heads_body(int64_t in, int64_t row_bytes, int cuts, const head_cuts &heads) {
    int c = 0;
    while (c + 1 < cuts && (int)blockIdx.x >= heads.cut[c + 1].first_tile) {
        c++;
    }
    const head_cut &cut = heads.cut[c];
    const int64_t first_row = blockIdx.y * (int64_t)BM;
    if (first_row >= cut.rows) {
        return;
    }
    const head_job job = {cut, heads.out, row_bytes, cut.rank * cut.features};
    tensor_tile<TYPE, BM, BN, WM, WN>(job, cut.z, first_row, (int64_t)(blockIdx.x - cut.first_tile) * BN, cut.rows, in, job.size);
}

#define HEADS(name, TYPE, BM, BN, WM, WN, BLOCKS)                                                                                           \
    extern "C" __global__ void __launch_bounds__(BM / WM *(BN / WN) * WARP, BLOCKS)                                                         \
        name(int64_t in, int64_t row_bytes, int cuts, const __grid_constant__ head_cuts heads) {                                            \
        heads_body<TYPE, BM, BN, WM, WN>(in, row_bytes, cuts, heads);                                                                       \
    }

HEADS(hyper_heads_bf16_32, T2L_BF16, 32, 128, 32, 32, 3)
HEADS(hyper_heads_bf16_128, T2L_BF16, 128, 128, 64, 32, 1)
HEADS(hyper_heads_f16_32, T2L_F16, 32, 128, 32, 32, 3)
HEADS(hyper_heads_f16_128, T2L_F16, 128, 128, 64, 32, 1)

#ifdef T2L_HOPPER

/* Calls work(cut, first column, units, first row) for what this block has to do: its share of `units` units, of all rows. */
template <int N, int UNITS, typename F> INLINE void each_panel(int units, int cuts, const head_cuts &heads, const F &work) {
    const int end = (int)((int64_t)units * (blockIdx.x + 1) / gridDim.x);
    int c = 0;
    for (int unit = (int)((int64_t)units * blockIdx.x / gridDim.x); unit < end;) {
        while (c + 1 < cuts && unit >= heads.cut[c + 1].first_tile) {
            c++;
        }
        const head_cut &cut = heads.cut[c];
        int count = min(UNITS, end - unit);
        if (c + 1 < cuts) {
            count = min(count, heads.cut[c + 1].first_tile - unit);
        }
        for (int row = 0; row < cut.rows; row += N) {
            work(cut, (unit - cut.first_tile) * UNIT, count, row);
        }
        unit += count;
    }
}

/* By a unit's multipliers: 64 columns from e on of N rows from first_row on, 32 rows at a time through `buffer`, floats [32][68] of their own. */
template <int N> INLINE void store_panel(const head_job &job, const float *sums, float *buffer, int64_t e, int64_t first_row, int unit) {
    enum { ROWS = 32, PITCH = UNIT + 4 };
    const int thread = threadIdx.x % WARPGROUP;
    const int64_t at = e + thread % 16 * 4;
#pragma unroll
    for (int chunk = 0; chunk < N / ROWS; chunk++) {
        if (first_row + chunk * ROWS >= job.cut.rows) {
            break;
        }
        spread_sums<PITCH>(buffer, sums + chunk * ROWS / 2, ROWS / 8);
        meet(1 + unit, WARPGROUP);
#pragma unroll
        for (int i = 0; i < ROWS / 8; i++) {
            const int row = i * 8 + thread / 16;
            const int64_t r = first_row + chunk * ROWS + row;
            if (r < job.cut.rows && at < job.size) {
                job.store4(r, at, *(const float4 *)(buffer + row * PITCH + thread % 16 * 4));
            }
        }
        meet(1 + unit, WARPGROUP);
    }
}

template <int N, int UNITS, int LOADERS> INLINE void head_panels_body(int64_t in, int stages, int units, int cuts, const head_cuts &heads) {
    typedef panel<N, UNITS, LOADERS> P;
    OPERANDS_SHARED(shared);
    const int blocks = (int)(in / DEPTH);
    ring<P> r(shared, stages);
    r.prepare();
    let_next_launch_begin();
    if (threadIdx.x >= P::FETCHER) {
        const int unit = (threadIdx.x - P::FETCHER) / WARP;
        each_panel<N, UNITS>(units, cuts, heads, [&](const head_cut &cut, int e, int count, int) {
            const head_job job = {cut, heads.out, in * 2, cut.rank * cut.features};
            int64_t rows[2];
            for (int i = 0; i < 2; i++) {
                int64_t own = e + unit * UNIT + i * WARP + threadIdx.x % WARP;
                rows[i] = unit < count ? job.column(min(own, (int64_t)job.size - 1)) : -1;
            }
            fetch_weights<P>(r, unit, cut.w, in * 2, rows, 0, blocks);
        });
    } else if (threadIdx.x >= P::LOADER) {
        int turn = 0;
        wait_for_launches_before();
        each_panel<N, UNITS>(units, cuts, heads, [&](const head_cut &cut, int, int, int row) {
            load_rows<P, N, LOADERS>(r, (threadIdx.x - P::LOADER) / WARPGROUP, turn, cut.z, row, cut.rows, in, 0, blocks);
        });
    } else {
        const int unit = threadIdx.x / WARPGROUP;
        float *buffer = (float *)(r.stages + stages * P::STAGE) + unit * (32 * (UNIT + 4));
        wait_for_launches_before();
        each_panel<N, UNITS>(units, cuts, heads, [&](const head_cut &cut, int e, int count, int row) {
            float sums[N / 2];
#pragma unroll
            for (int i = 0; i < N / 2; i++) {
                sums[i] = 0;
            }
            multiply<P, N>(r, unit, unit < count, blocks, sums);
            if (unit < count) {
                const head_job job = {cut, heads.out, in * 2, cut.rank * cut.features};
                store_panel<N>(job, sums, buffer, e + unit * UNIT, row, unit);
            }
        });
    }
}
#define HEAD_PANELS_BODY(N, UNITS, LOADERS) head_panels_body<N, UNITS, LOADERS>(in, stages, units, cuts, heads)
#else
#define HEAD_PANELS_BODY(N, UNITS, LOADERS) __trap()
#endif

/* A block a multiprocessor; shared memory: `stages` of them, and a buffer for each unit. */
#define HEAD_PANELS(name, N, UNITS, LOADERS)                                                                                                \
    extern "C" __global__ void __launch_bounds__(UNITS * 160 + LOADERS * 128, 1)                                                            \
        name(int64_t in, int stages, int units, int cuts, const __grid_constant__ head_cuts heads) {                                        \
        HEAD_PANELS_BODY(N, UNITS, LOADERS);                                                                                                \
    }

HEAD_PANELS(hyper_panels_32, 32, 4, 1)
HEAD_PANELS(hyper_panels_64, 64, 4, 1)
HEAD_PANELS(hyper_panels_128, 128, 2, 2)
