/* Checks convert.cu; see run.sh. */
#include "../convert.cu"
#include "weights.h"

static float rounded(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    u = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000;
    memcpy(&f, &u, 4);
    return f;
}

static void compare(const char *what, const device<uint16_t> &out, const std::vector<float> &values) {
    std::vector<float> got;
    std::vector<double> expected;
    for (uint16_t v : out.host()) {
        uint32_t u = (uint32_t)v << 16;
        float f;
        memcpy(&f, &u, 4);
        got.push_back(f);
    }
    for (float f : values) {
        expected.push_back(rounded(f));
    }
    expect(what, got, expected, 1e-9);
}

static std::vector<uint16_t> to_bf16(const std::vector<float> &values) {
    std::vector<uint16_t> out;
    for (float f : values) {
        f = rounded(f);
        uint32_t u;
        memcpy(&u, &f, 4);
        out.push_back(u >> 16);
    }
    return out;
}

/* Rounding may go the other way where the value lies between: one unit of bf16. */
static void near(const char *what, const device<uint16_t> &out, const std::vector<double> &expected) {
    std::vector<float> got;
    for (uint16_t v : out.host()) {
        uint32_t u = (uint32_t)v << 16;
        float f;
        memcpy(&f, &u, 4);
        got.push_back(f);
    }
    bool right = true;
    for (size_t i = 0; i < got.size(); i++) {
        right &= fabs(got[i] - expected[i]) <= fabs(expected[i]) / 255 + 1e-30;
    }
    expect_true(what, right);
}

static void check_norm(int n, int d, int type, int skew, random_numbers &r) {
    std::vector<float> x = normals(n * d, r), w = normals(d, r);
    device<float> dx(x, skew);
    device<uint16_t> out(x.size());
    std::vector<double> expected;
    for (int i = 0; i < n; i++) {
        double squares = 0;
        for (int k = 0; k < d; k++) {
            squares += (double)x[i * d + k] * x[i * d + k];
        }
        for (int k = 0; k < d; k++) {
            expected.push_back(x[i * d + k] / sqrt(squares / d + 1e-5) * ((type == T2L_BF16 ? rounded(w[k]) : w[k]) + 1));
        }
    }
    device<float> plain(w, skew);
    device<uint16_t> brief(to_bf16(w));
    const void *weight = type == T2L_BF16 ? (const void *)brief.data : (const void *)plain.data;
    launch(convert_norm, dim3(n), 64, 0, (uint4 *)out.data, dx.data, (int64_t)d, (const uint8_t *)weight, type, 1e-5f, 1.0f);
    near("convert_norm", out, expected);
}

static void check_gated(random_numbers &r) {
    const int n = 8 * 301;
    std::vector<float> gate = normals(n, r), up = normals(n, r);
    gate[0] = -200; /* whose sigmoid is 0 */
    std::vector<double> expected;
    for (int i = 0; i < n; i++) {
        double g = rounded(gate[i]);
        expected.push_back(g / (1 + exp(-g)) * rounded(up[i]));
    }
    device<uint16_t> brief(to_bf16(gate)), brief_up(to_bf16(up));
    launch(convert_gated, dim3(2), 64, 0, (uint4 *)brief.data, (const uint4 *)brief.data, (const uint4 *)brief_up.data, (int64_t)n, (int)T2L_SILU);
    near("convert_gated", brief, expected);
}

int main() {
    random_numbers r = {19};
    for (int skew : {0, 4}) {
        std::vector<float> x = normals(8 * 333, r);
        device<float> dx(x, skew);
        device<uint16_t> out(x.size());
        launch(convert_f32, dim3(3), 64, 0, (uint4 *)out.data, dx.data, (int64_t)x.size());
        compare("convert f32", out, x);
    }
    struct { int type; void (*kernel)(uint4 *, const uint8_t *, int64_t); } kernels[] = {
        {T2L_Q4_0, convert_q4_0}, {T2L_Q4_1, convert_q4_1}, {T2L_Q8_0, convert_q8_0}, {T2L_Q4_K, convert_q4_k}, {T2L_Q6_K, convert_q6_k}};
    for (auto &k : kernels) {
        weights w(k.type, 3, 1280, r);
        device<uint8_t> dw(w.bytes);
        device<uint16_t> out(w.values.size());
        launch(k.kernel, dim3(2), 64, 0, (uint4 *)out.data, dw.data, (int64_t)w.values.size());
        compare(TYPE_NAMES[k.type], out, w.values);
    }
    check_norm(3, 1032, T2L_F32, 0, r);
    check_norm(2, 72, T2L_F32, 4, r);
    check_norm(2, 2056, T2L_BF16, 0, r);
    check_gated(r);
    return finish("convert");
}
