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
    std::vector<float> y = normals(7 * 130, r), bias = normals(130, r);
    std::vector<double> expected;
    for (size_t i = 0; i < y.size(); i++) {
        expected.push_back(y[i] + bias[i % 130]);
    }
    device<float> dy(y), dbias(bias);
    launch(add_bias, dim3(1, 3), 64, 0, dy.data, (int64_t)7, (int64_t)130, (const void *)dbias.data, (int)T2L_F32);
    expect("add_bias", dy.host(), expected, 1e-7);
    return finish("convert");
}
