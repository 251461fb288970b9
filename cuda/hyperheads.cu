/*
 * A hypernetwork's heads, all modules, layers and descriptions in one launch: z w^T + bias, scaled and shifted, written where LoRA reads
 * it: A [layers, rank, in] and B [layers, out, rank] of each adapter.
 *
 * Bytes: each head's weights once (for more rows than a tile has, again from the second cache), each factor written once, and as much
 * read if it is shifted; 2 flops a weight and row. Few rows (one description has a row a layer) make tiles of 32 x 128, more make
 * 128 x 128; see tiles.cuh. Columns go in the order in which a factor's elements lie, so that stores are whole: for B, the columns of
 * one output feature for all ranks come from as many places of w.
 *
 * Bits: those of the product by tiles (lineartiles.cu) followed by lora_factor_cut (lorafactor.cu), for either tile.
 */
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
    int32_t first_tile, bias_type;
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
