/* Random weights of every format, as stored, and their exact values. */
#pragma once

#include "check.h"

static const char *const TYPE_NAMES[] = {"f32", "f16", "bf16", "q4_0", "q4_1", "q8_0", "q4_k", "q6_k"};

static float half_value(uint16_t h) {
    int exponent = h >> 10 & 31;
    double value = exponent == 0 ? ldexp(h & 1023, -24) : ldexp(1024 + (h & 1023), exponent - 25);
    return (float)(h >> 15 ? -value : value);
}

/* Some normal half of about this size, of either sign. */
static uint16_t some_half(random_numbers &r, int exponent) {
    return (uint16_t)(r.below(2) << 15 | (exponent + r.below(3)) << 10 | r.below(1024));
}

struct weights {
    int type;
    int64_t out, in, row_bytes;
    std::vector<uint8_t> bytes;
    std::vector<float> values; /* [out, in] */

    weights(int type, int64_t out, int64_t in, random_numbers &r, bool with_values = true) : type(type), out(out), in(in) {
        static const int SIZE[] = {1, 1, 1, 32, 32, 32, 256, 256};
        static const int BYTES[] = {4, 2, 2, 18, 20, 34, 144, 210};
        row_bytes = in / SIZE[type] * BYTES[type];
        bytes.resize(out * row_bytes);
        for (size_t i = 0; i < bytes.size(); i += 8) {
            uint64_t v = r.next();
            memcpy(&bytes[i], &v, std::min<size_t>(8, bytes.size() - i));
        }
        if (with_values) {
            values.resize(out * in);
        }
        float spare[256];
        for (int64_t b = 0; b < out * in / SIZE[type]; b++) {
            block(&bytes[b * BYTES[type]], r, with_values ? &values[b * SIZE[type]] : spare);
        }
    }

    static void put(uint8_t *p, uint16_t v) {
        memcpy(p, &v, 2);
    }

    static float get(const uint8_t *p) {
        uint16_t v;
        memcpy(&v, p, 2);
        return half_value(v);
    }

    void block(uint8_t *b, random_numbers &r, float *v) {
        switch (type) {
        case T2L_F32: {
            float f = r.normal();
            memcpy(b, &f, 4);
            *v = f;
            break;
        }
        case T2L_F16:
            put(b, r.below(16) == 0 ? (uint16_t)r.below(1024) : some_half(r, 13)); /* subnormal ones, too */
            *v = get(b);
            break;
        case T2L_BF16: {
            float f = r.normal();
            uint32_t u;
            memcpy(&u, &f, 4);
            u &= 0xffff0000;
            put(b, (uint16_t)(u >> 16));
            memcpy(v, &u, 4);
            break;
        }
        case T2L_Q4_0:
        case T2L_Q4_1: {
            put(b, some_half(r, 10));
            int at = 2;
            float m = -8 * get(b);
            if (type == T2L_Q4_1) {
                put(b + 2, some_half(r, 12));
                m = get(b + 2);
                at = 4;
            }
            for (int i = 0; i < 32; i++) {
                v[i] = get(b) * (b[at + i % 16] >> (i / 16 * 4) & 15) + m;
            }
            break;
        }
        case T2L_Q8_0:
            put(b, some_half(r, 7));
            for (int i = 0; i < 32; i++) {
                v[i] = get(b) * (int8_t)b[2 + i];
            }
            break;
        case T2L_Q4_K:
            put(b, some_half(r, 5));
            put(b + 2, some_half(r, 5));
            for (int i = 0; i < 256; i++) {
                int s = i / 32;
                const uint8_t *p = b + 4;
                int scale = s < 4 ? p[s] & 63 : (p[s + 4] & 15) | p[s - 4] >> 6 << 4;
                int minimum = s < 4 ? p[s + 4] & 63 : p[s + 4] >> 4 | p[s] >> 6 << 4;
                int q = b[16 + i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
                v[i] = get(b) * scale * q - get(b + 2) * minimum;
            }
            break;
        default:
            put(b + 208, some_half(r, 3));
            for (int i = 0; i < 256; i++) {
                int low = b[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4) & 15;
                int high = b[128 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
                v[i] = get(b + 208) * (int8_t)b[192 + i / 16] * ((low | high << 4) - 32);
            }
        }
    }
};

/* x w^T (+ bias) in double. */
static std::vector<double> product(const std::vector<float> &x, int64_t n, const weights &w, const std::vector<float> *bias) {
    std::vector<double> y(n * w.out);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t o = 0; o < w.out; o++) {
            double sum = bias == nullptr ? 0 : (*bias)[o];
            for (int64_t k = 0; k < w.in; k++) {
                sum += (double)x[i * w.in + k] * w.values[o * w.in + k];
            }
            y[i * w.out + o] = sum;
        }
    }
    return y;
}

/* As struct thin_launch has them. */
static int64_t norm_numbers(float eps, float offset) {
    uint32_t low, high;
    memcpy(&low, &eps, 4);
    memcpy(&high, &offset, 4);
    return (int64_t)high << 32 | low;
}

/* rmsNorm of n rows of x, in double. */
static std::vector<double> normed(const std::vector<float> &x, int64_t n, const weights &norm, float eps, float offset) {
    std::vector<double> y(x.begin(), x.end());
    for (int64_t i = 0; i < n; i++) {
        double squares = 0;
        for (int64_t k = 0; k < norm.in; k++) {
            squares += y[i * norm.in + k] * y[i * norm.in + k];
        }
        const double factor = 1 / sqrt(squares / norm.in + eps);
        for (int64_t k = 0; k < norm.in; k++) {
            y[i * norm.in + k] *= factor * (norm.values[k] + offset);
        }
    }
    return y;
}
