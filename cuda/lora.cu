/*
 * y[i] += weight * scale * (x[i] A^T) B^T, for each adapter of row i's list, in the order of the list.
 *
 * Two launches: low = A x for every row and adapter of its list, then y += B low. Mixed ranks and adapters go together: a block looks
 * up whose turn it is. Behind a product for few rows the second is that product's own epilogue (thin.cu, linear.cu).
 *
 * Bytes: A and B of each adapter once or so, x once, y read and written: y dominates for many rows. Flops: 2 r (in + out) a row.
 *
 * Bits: low is a sum over in cut by 256 threads' shares of four elements each, added by eights of threads a warp apart, then over a
 * warp, whether a block does it for one row (lora_low) or a warp for eight rows with one adapter (lora_low_rows).
 */
#include "lora.cuh"
#include "thin.cuh"

enum { THREADS = 256, WARPS = THREADS / WARP, ROWS = 8 };

INLINE float dot4(float4 u, float4 v, float sum) {
    sum = fmaf(u.x, v.x, sum);
    sum = fmaf(u.y, v.y, sum);
    sum = fmaf(u.z, v.z, sum);
    return fmaf(u.w, v.w, sum);
}

/* Grid: ranks, n rows, entries of a list. */
KERNEL lora_low(const float *x, int64_t in, int *fault, lora_rows lora) {
    __shared__ float sums[WARPS][WARP];
    const int64_t i = blockIdx.y;
    const int64_t s = blockIdx.z;
    const int rank = blockIdx.x;
    int slot;
    if (!lora_entry(lora, i, s, fault, slot) || rank >= lora.table[slot].rank) {
        return;
    }
    const float *a = lora.table[slot].a + rank * in;
    x += i * in;
    const bool vector_a = vectors(a, in);
    const bool vector_x = vectors(x, in);
    float sum = 0;
#pragma unroll 4
    for (int64_t k = threadIdx.x * 4; k < in; k += THREADS * 4) {
        sum = dot4(load4(a, k, in, vector_a), load4(x, k, in, vector_x), sum);
    }
    sums[threadIdx.x / WARP][threadIdx.x % WARP] = sum;
    __syncthreads();
    if (threadIdx.x < WARP) {
        float all = 0;
        for (int w = 0; w < WARPS; w++) {
            all += sums[w][threadIdx.x];
        }
        all = warp_sum(all);
        if (threadIdx.x == 0) {
            lora.low[(i * lora.per_row + s) * lora.stride + rank] = all;
        }
    }
}

/* All fields have 64 bits, as in thin_launch. */
struct low_launch {
    const float *x;
    int64_t in;
    const void *norm;
    int64_t norm_type, norm_numbers;
    int *fault;
    int64_t count;
    lora_rows products[MOST_PRODUCTS];
};

/* lora_low for all products of a launch of thin.cu, of norm(x) if there is a norm. Grid: ranks, rows, entries of the products' lists together. */
KERNEL lora_low_thin(const __grid_constant__ low_launch a) {
    __shared__ float sums[2][WARPS];
    grid_wait();
    grid_trigger(); /* not before: thin.cu takes it that x is there */
    const int64_t i = blockIdx.y;
    const int rank = blockIdx.x;
    const int in = (int)a.in;
    int s = blockIdx.z;
    int product = 0;
    while (product + 1 < MOST_PRODUCTS && s >= (int)a.products[product].per_row) {
        s -= (int)a.products[product++].per_row;
    }
    const lora_rows &lora = a.products[product];
    int slot;
    if (!lora_entry(lora, i, s, a.fault, slot) || rank >= lora.table[slot].rank) {
        return;
    }
    const float *row = lora.table[slot].a + (int64_t)rank * in;
    const float *x = a.x + i * in;
    const bool vector_a = vectors(row, in);
    const float offset = __uint_as_float((uint32_t)(a.norm_numbers >> 32));
    float sum = 0;
    float squares = 0;
#pragma unroll 4
    for (int k = threadIdx.x * 4; k < in; k += THREADS * 4) {
        float4 u = load_fresh4(x + k);
        const float4 v = load4(row, k, in, vector_a);
        squares = dot4(u, u, squares);
        if (a.norm != nullptr) {
            const float4 m = norm4(a.norm, (int)a.norm_type, k, in);
            u = make_float4(u.x * (m.x + offset), u.y * (m.y + offset), u.z * (m.z + offset), u.w * (m.w + offset));
        }
        sum = dot4(v, u, sum);
    }
    sum = warp_sum(sum);
    squares = warp_sum(squares);
    if (threadIdx.x % WARP == 0) {
        sums[0][threadIdx.x / WARP] = sum;
        sums[1][threadIdx.x / WARP] = squares;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        sum = 0;
        squares = 0;
        for (int w = 0; w < WARPS; w++) {
            sum += sums[0][w];
            squares += sums[1][w];
        }
        if (a.norm != nullptr) {
            sum /= sqrtf(squares / (float)in + __uint_as_float((uint32_t)a.norm_numbers));
        }
        lora.low[(i * lora.per_row + s) * lora.stride + rank] = sum;
    }
}

/* Grid: eights of rows, eights of ranks, entries of a list; a warp has one rank. */
KERNEL lora_low_rows(const float *x, int64_t n, int64_t in, int *fault, lora_rows lora) {
    const int64_t first = blockIdx.x * (int64_t)ROWS;
    const int64_t s = blockIdx.z;
    const int rank = blockIdx.y * WARPS + threadIdx.x / WARP;
    const int lane = threadIdx.x % WARP;
    const int64_t end = min(first + ROWS, n);
    const bool vector_x = vectors(x, in);
    for (int64_t from = first, to; from < end; from = to) {
        int slot, other;
        to = from + 1;
        if (!lora_entry(lora, from, s, fault, slot)) {
            continue;
        }
        while (to < end && lora_entry(lora, to, s, fault, other) && other == slot) {
            to++;
        }
        if (rank >= lora.table[slot].rank) {
            continue;
        }
        const float *a = lora.table[slot].a + rank * in;
        const bool vector_a = vectors(a, in);
        float sums[ROWS][WARPS] = {};
        for (int64_t k0 = 0; k0 < in; k0 += THREADS * 4) {
#pragma unroll
            for (int w = 0; w < WARPS; w++) {
                int64_t k = k0 + (w * WARP + lane) * 4;
                if (k < in) {
                    float4 v = load4(a, k, in, vector_a);
#pragma unroll
                    for (int r = 0; r < ROWS; r++) {
                        if (from + r < to) {
                            sums[r][w] = dot4(v, load4(x + (from + r) * in, k, in, vector_x), sums[r][w]);
                        }
                    }
                }
            }
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            float all = 0;
#pragma unroll
            for (int w = 0; w < WARPS; w++) {
                all += sums[r][w];
            }
            all = warp_sum(all);
            if (lane == 0 && from + r < to) {
                lora.low[((from + r) * lora.per_row + s) * lora.stride + rank] = all;
            }
        }
    }
}

enum { HELD = 16 }; /* ranks of which a thread keeps its row of B from one row of y to the next */

/* Grid: 256s of outputs, pieces of `rows` rows. */
KERNEL lora_add_rows(float *y, int64_t n, int64_t out, int rows, lora_rows lora) {
    const int64_t o = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
    if (o >= out) {
        return;
    }
    const int64_t row = lora_row(o, lora.head_dim);
    const int64_t first = blockIdx.y * (int64_t)rows;
    int held = -1;
    float b[HELD];
    for (int64_t i = first; i < min(first + rows, n); i++) {
        float value = y[i * out + o];
        for (int64_t s = i * lora.per_row; s < (i + 1) * lora.per_row; s++) {
            int slot = lora.slots[s];
            if (slot < 0 || slot >= lora.count) {
                break;
            }
            const lora_factor f = lora.table[slot];
            float weight = lora.weights[s] * f.scale;
            if (weight == 0) {
                continue;
            }
            const float *low = lora.low + s * lora.stride;
            float sum = 0;
            if (f.rank <= HELD) {
                if (held != slot) {
                    held = slot;
#pragma unroll
                    for (int k = 0; k < HELD; k++) {
                        b[k] = k < f.rank ? f.b[row * f.rank + k] : 0;
                    }
                }
#pragma unroll
                for (int k = 0; k < HELD; k++) {
                    sum = k < f.rank ? fmaf(b[k], low[k], sum) : sum;
                }
            } else {
                sum = lora_dot(f.b + row * f.rank, low, f.rank);
            }
            value = fmaf(weight, sum, value);
        }
        y[i * out + o] = value;
    }
}
