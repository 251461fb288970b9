/* The problems of attentionrows.h on bf16 tensors. */
#pragma once

#include "../attentionhalf.cuh"
#include "attentionrows.h"
#include "halves.h"

struct half_problem : problem {
    activations hq, hk, hv, hout, hdout, hdq, hdk, hdv;
    device<float> log_sums;
    device<float2> both;

    half_problem(attention_shape shape, sequences rows, random_numbers &r)
        : problem(shape, rows, r), hq(q, true), hk(k, true), hv(v, true), hout(q, true), hdout(dout, true), hdq(q, true), hdk(k, true), hdv(k, true), log_sums(rows.n() * shape.heads), both(rows.n() * shape.heads) {
    }

    attention_half tensors() {
        return {hq.half.data, hk.half.data, hv.half.data, hout.half.data, log_sums.data, hdout.half.data, hdq.half.data, hdk.half.data, hdv.half.data, both.data, ranges.data, seen.data,
                rows.n(), fault.data};
    }
};
