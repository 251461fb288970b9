/* Adapters of a batch, as dev.t2l.backend.LoraRows has them; what the LoRA kernels and the products that add adapters share. */
#pragma once

#include "common.cuh"

/* a [rank, in], b [out, rank] */
struct lora_factor {
    const float *a;
    const float *b;
    int32_t rank;
    float scale;
};

/* The last parameter of a kernel: its fields are passed as so many 64-bit parameters. */
struct lora_rows {
    const lora_factor *table; /* [count]; null: no adapters */
    int64_t count;
    const int32_t *slots; /* [n, per_row]; -1 ends a row's list */
    const float *weights; /* [n, per_row] */
    int64_t per_row;
    int64_t head_dim; /* interleaved heads of the weight's rows, or 0 */
    float *low;       /* [n, per_row, stride]: A x of each row and adapter */
    int64_t stride;   /* at least the largest rank */
};

/* The row of B that belongs to output o: rows h + 2j + p of a weight with interleaved heads are h + p * head_dim / 2 + j of B. */
INLINE int64_t lora_row(int64_t o, int64_t head_dim) {
    if (head_dim == 0) {
        return o;
    }
    uint32_t in_head = (uint32_t)o % (uint32_t)head_dim; /* o is below 2^31 */
    return o - in_head + in_head % 2 * ((uint32_t)head_dim / 2) + in_head / 2;
}

/* Whether entry s of row i's list counts; if so, which adapter it is. */
INLINE bool lora_entry(const lora_rows &lora, int64_t i, int64_t s, int *fault, int &slot) {
    const int32_t *slots = lora.slots + i * lora.per_row;
    for (int64_t e = 0; e <= s; e++) {
        if (slots[e] < 0) {
            return false;
        }
    }
    slot = slots[s];
    if (slot >= lora.count) {
        report(fault, T2L_FAULT_LORA);
        return false;
    }
    return lora.weights[i * lora.per_row + s] * lora.table[slot].scale != 0;
}

INLINE float lora_dot(const float *b, const float *low, int rank) {
    float sum = 0;
    int k = 0;
    if ((((uintptr_t)b | (uintptr_t)low) & 15) == 0) {
#pragma unroll 2
        for (; k + 4 <= rank; k += 4) {
            float4 u = *(const float4 *)(b + k);
            float4 v = *(const float4 *)(low + k);
            sum = fmaf(u.x, v.x, sum);
            sum = fmaf(u.y, v.y, sum);
            sum = fmaf(u.z, v.z, sum);
            sum = fmaf(u.w, v.w, sum);
        }
    }
#pragma unroll 1
    for (; k < rank; k++) {
        sum = fmaf(b[k], low[k], sum);
    }
    return sum;
}

/* y with all adapters of row i added to its output o, in the order of the list. */
INLINE float lora_add(float y, const lora_rows &lora, int64_t i, int64_t o) {
    int64_t row = lora_row(o, lora.head_dim);
#pragma unroll 1
    for (int64_t s = i * lora.per_row; s < (i + 1) * lora.per_row; s++) {
        int slot = lora.slots[s];
        if (slot < 0 || slot >= lora.count) {
            break;
        }
        const lora_factor f = lora.table[slot];
        float weight = lora.weights[s] * f.scale;
        if (weight != 0) {
            y = fmaf(weight, lora_dot(f.b + row * f.rank, lora.low + s * lora.stride, f.rank), y);
        }
    }
    return y;
}
