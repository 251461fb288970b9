/* What both attention kernels share: a row's keys, and scores. */
#pragma once

#include "common.cuh"

struct attention_shape {
    int64_t kv_rows;
    int heads, kv_heads, head_dim, window;
    float scale, softcap;
};

/* Keys [from, to) of a sequence that starts at base; none, and a report, if the range lies outside the cache. */
struct key_range {
    int base, from, to;
};

INLINE key_range keys_of(const int *ranges, int64_t row, const attention_shape &s, int *fault) {
    int base = ranges[2 * row];
    int to = ranges[2 * row + 1];
    if (base < 0 || to <= base || to > s.kv_rows) {
        report(fault, T2L_FAULT_ATTENTION);
        return {0, 0, 0};
    }
    return {base, s.window > 0 && to - s.window > base ? to - s.window : base, to};
}

INLINE float score(float dot, const attention_shape &s) {
    float v = __fmul_rn(dot, s.scale); /* never fused into what comes next, so that every copy of this code rounds alike */
    return s.softcap == 0 ? v : s.softcap * tanhf(v / s.softcap);
}

/* What the sums so far are multiplied by when the largest score grows from before to now. */
INLINE float rescale(float before, float now) {
    return before == now ? 1 : expf(before - now);
}
