/* What the kernels of attention backwards share: tensors, and a pair's probability and gradient. */
#pragma once

#include "attention.cuh"
#include "ptx.cuh"

/* The last parameter of every kernel; its fields are passed as so many 64-bit parameters. */
struct attention_tensors {
    const float *q, *k, *v, *out, *dout;
    float *dq, *dk, *dv;
    float *log_sums, *deltas; /* [n, heads] */
    const int *ranges, *seen;
    int64_t n;
    int *fault;
};

/* p and scale * ds of a pair; dot = q k. */
INLINE void pair(float dot, float dp, float log_sum, float delta, const attention_shape &s, float &p, float &ds) {
    float capped = score(dot, s);
    p = expf(capped - log_sum);
    float t = s.softcap == 0 ? 0 : capped / s.softcap;
    ds = p * (dp - delta) * s.scale * (1 - t * t);
}

INLINE bool sees(const key_range &r, int key) {
    return key >= r.from && key < r.to;
}

/* Queries [from, to) that see a key, before the window is applied. */
INLINE int2 seen_by(const attention_tensors &t, int64_t key) {
    int2 r = make_int2(t.seen[2 * key], t.seen[2 * key + 1]);
    if (r.x < 0 || r.y < r.x || r.y > t.n) {
        report(t.fault, T2L_FAULT_ATTENTION_BACKWARD);
        return make_int2(0, 0);
    }
    return r;
}
