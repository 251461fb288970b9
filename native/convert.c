/* Between F32, F16 and BF16, to nearest even. */
#include "formats.h"

typedef struct {
    uint8_t *out;
    int32_t out_type;
    const void *x;
    int32_t type;
    split split;
} convert_job;

INLINE uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}

INLINE float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

INLINE uint16_t to_bf16(float x) {
    uint32_t bits = bits_of(x);
    return (uint16_t)(x != x ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Halves have 5 bits of exponent (bias 15), 10 of fraction. Adding 1/2 puts the last bit of a subnormal half last in the float, too. */
INLINE uint16_t to_f16(float x) {
    uint32_t bits = bits_of(x);
    uint32_t sign = bits >> 16 & 0x8000;
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) {
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    }
    if (magnitude >= bits_of(65520)) { /* halfway beyond the largest half */
        return (uint16_t)(sign | 0x7c00);
    }
    if (magnitude < bits_of(0x1p-14f)) {
        return (uint16_t)(sign | (bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f)));
    }
    return (uint16_t)(sign | ((magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13));
}

static void values(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const convert_job *j = job;
    int64_t to = last_item(&j->split, piece);
    for (int64_t i = first_item(&j->split, piece); i < to; i += LANES) {
        int64_t n = min64(LANES, to - i);
        float x[LANES];
        store(x, elements_some(j->x, j->type, i, n));
        uint16_t halves[LANES];
        if (j->out_type == T2L_F32) {
            memcpy(j->out + i * 4, x, (size_t)n * 4);
            continue;
        }
        for (int l = 0; l < LANES; l++) {
            halves[l] = j->out_type == T2L_F16 ? to_f16(x[l]) : to_bf16(x[l]);
        }
        memcpy(j->out + i * 2, halves, (size_t)n * 2);
    }
}

int32_t T2L_KERNEL(convert)(const t2l_engine *e, void *out, int32_t out_type, const void *x, int32_t type, int64_t n) {
    if (!is_plain(out_type) || !is_plain(type)) {
        return T2L_BAD_TYPE;
    }
    if (n < 0) {
        return T2L_BAD_SIZE;
    }
    convert_job job = {out, out_type, x, type, split_items(e, n, LANES, n)};
    run_split(e, &job.split, values, &job);
    return T2L_OK;
}
