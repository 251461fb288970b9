/* Values that bf16 holds, and what lies in it on a device. */
#pragma once

#include "../half.cuh"
#include "check.h"

/* As bf16; v is rounded, too. */
static std::vector<uint16_t> rounded(std::vector<float> &v) {
    std::vector<uint16_t> bits;
    for (float &f : v) {
        __nv_bfloat16 h = __float2bfloat16_rn(f);
        uint16_t b;
        memcpy(&b, &h, 2);
        bits.push_back(b);
        f = __bfloat162float(h);
    }
    return bits;
}

/* Activations on the device, as f32 or as bf16. */
struct activations {
    device<float> whole;
    device<uint16_t> half;
    bool is_half;

    activations(std::vector<float> &values, bool is_half) : is_half(is_half) {
        if (is_half) {
            half = device<uint16_t>(rounded(values));
        } else {
            whole = device<float>(values);
        }
    }
    void *data() {
        return is_half ? (void *)half.data : (void *)whole.data;
    }
    std::vector<float> host() const {
        if (!is_half) {
            return whole.host();
        }
        std::vector<float> v;
        for (uint16_t bits : half.host()) {
            uint32_t word = (uint32_t)bits << 16;
            float f;
            memcpy(&f, &word, 4);
            v.push_back(f);
        }
        return v;
    }
};
