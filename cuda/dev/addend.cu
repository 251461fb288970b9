/* Checks addend.cu; see run.sh. */
#include "../addend.cu"
#include "adapters.h"

static float from_bf16(uint16_t v) {
    uint32_t u = (uint32_t)v << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static uint16_t to_bf16(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    return (u + 0x7fff + (u >> 16 & 1)) >> 16;
}

static dim3 low_grid(const batch &b) {
    return dim3((b.n + ROWS - 1) / ROWS, (b.stride + RANKS - 1) / RANKS, b.per_row);
}

static dim3 addend_grid(int64_t n, int64_t out) {
    return dim3((out + 4 * THREADS - 1) / (4 * THREADS), (n + ROWS - 1) / ROWS);
}

static void check(int64_t n, int64_t in, int64_t out, int64_t per_row, int64_t head_dim, std::vector<int> ranks, std::vector<int32_t> slots, random_numbers &r) {
    batch b(n, in, out, per_row, head_dim, ranks, slots, r);
    std::vector<float> x, y0 = normals(n * out, r), bias = normals(out, r);
    std::vector<uint16_t> rounded, brief;
    for (float f : normals(n * in, r)) {
        rounded.push_back(to_bf16(f));
        x.push_back(from_bf16(rounded.back()));
    }
    for (float f : y0) {
        brief.push_back(to_bf16(f));
    }
    device<uint16_t> dx(rounded);
    device<int> fault(std::vector<int>{0});
    device<float> dbias(bias);
    CHECK(cudaMemset(b.low.data, 0xff, b.low.count * 4));
    launch(addend_low, low_grid(b), THREADS, 0, (const uint2 *)dx.data, n, in, fault.data, b.rows());
    for (int onto : {0, 1}) {
        for (bool with_bias : {false, true}) {
            const void *bias_pointer = with_bias ? dbias.data : nullptr;
            std::vector<double> all(n * out), none(n * out), halves(n * out);
            for (int64_t i = 0; i < n * out; i++) {
                double add = with_bias ? bias[i % out] : 0;
                all[i] = (onto ? y0[i] : 0) + add;
                halves[i] = (onto ? from_bf16(brief[i]) : 0) + add;
            }
            none = all;
            b.expected(all, x);
            b.expected(halves, x);
            char what[120];
            snprintf(what, sizeof what, "addend n %d, in %d, out %d, %d a row, head %d%s%s", (int)n, (int)in, (int)out, (int)per_row, (int)head_dim, onto ? ", onto y" : "",
                     with_bias ? ", bias" : "");
            device<float> y(y0);
            launch(addend_f32, addend_grid(n, out), THREADS, 0, y.data, n, out, onto, bias_pointer, (int)T2L_F32, fault.data, b.rows());
            expect(what, y.host(), all, 1e-6);
            device<uint16_t> half(brief);
            launch(addend_bf16, addend_grid(n, out), THREADS, 0, half.data, n, out, onto, bias_pointer, (int)T2L_F32, fault.data, b.rows());
            std::vector<float> got;
            for (uint16_t v : half.host()) {
                got.push_back(from_bf16(v));
            }
            expect(what, got, halves, 4e-3);
            device<float> alone(y0);
            launch(addend_f32, addend_grid(n, out), THREADS, 0, alone.data, n, out, onto, bias_pointer, (int)T2L_F32, fault.data, lora_rows{});
            expect("addend without adapters", alone.host(), none, 1e-7);
            /* each row alone has the same bits */
            std::vector<float> together = y.host();
            for (int64_t i = 0; i < n; i++) {
                device<float> one(std::vector<float>(y0.begin() + i * out, y0.begin() + (i + 1) * out));
                device<float> low(per_row * b.stride);
                lora_rows row = b.rows();
                row.slots += i * per_row;
                row.weights += i * per_row;
                row.low = low.data;
                launch(addend_low, dim3(1, low_grid(b).y, per_row), THREADS, 0, (const uint2 *)(dx.data + i * in), (int64_t)1, in, fault.data, row);
                launch(addend_f32, addend_grid(1, out), THREADS, 0, one.data, (int64_t)1, out, onto, bias_pointer, (int)T2L_F32, fault.data, row);
                expect_true("addend: a row alone has its bits", memcmp(one.host().data(), &together[i * out], out * 4) == 0);
            }
        }
    }
    expect_true("addend: no fault", fault.host()[0] == 0);
}

int main() {
    random_numbers r = {12};
    check(1, 64, 48, 1, 0, {8}, {0}, r);
    check(3, 136, 72, 1, 0, {3}, {0, -1, 0}, r);
    check(9, 2056, 296, 2, 0, {8, 17, 1}, {0, -1, 0, 1, 0, 1, 1, 0, -1, -1, 2, 2, 0, -1, 0, -1, 0, -1}, r);
    check(5, 4096, 64, 1, 16, {8, 16}, {0, 0, 1, 1, 0}, r);
    check(17, 72, 40, 1, 8, {8, 4}, {1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, 0}, r);
    return finish("addend");
}
