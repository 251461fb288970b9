/* The problems of attentionrows.h on bf16 tensors. */
#pragma once

#include "../attentionhalf.cuh"
#include "attentionrows.h"

static uint16_t bf16_of(float f) {
    __nv_bfloat16 h = __float2bfloat16_rn(f);
    uint16_t bits;
    memcpy(&bits, &h, 2);
    return bits;
}

/* As bf16; v is rounded, too. */
static std::vector<uint16_t> rounded(std::vector<float> &v) {
    std::vector<uint16_t> bits(v.size());
    for (size_t i = 0; i < v.size(); i++) {
        bits[i] = bf16_of(v[i]);
        v[i] = __bfloat162float(__float2bfloat16_rn(v[i]));
    }
    return bits;
}

static std::vector<float> floats(const device<uint16_t> &there) {
    std::vector<float> v;
    for (uint16_t bits : there.host()) {
        uint32_t word = (uint32_t)bits << 16;
        float f;
        memcpy(&f, &word, 4);
        v.push_back(f);
    }
    return v;
}

struct half_problem : problem {
    device<uint16_t> hq, hk, hv, hout, hdout, hdq, hdk, hdv;
    device<float> log_sums;
    device<float2> both;

    half_problem(attention_shape shape, sequences rows, random_numbers &r)
        : problem(shape, rows, r), hq(rounded(q)), hk(rounded(k)), hv(rounded(v)), hout(q.size()), hdout(rounded(dout)), hdq(q.size()), hdk(k.size()),
          hdv(k.size()), log_sums(rows.n() * shape.heads), both(rows.n() * shape.heads) {
    }

    attention_half tensors() {
        return {hq.data, hk.data, hv.data, hout.data, log_sums.data, hdout.data, hdq.data, hdk.data, hdv.data, both.data, ranges.data, seen.data,
                rows.n(), fault.data};
    }
};
