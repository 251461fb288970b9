/* Checks and times lorafactor.cu; see run.sh. */
#include "../lorafactor.cu"
#include "check.h"

static void check(int64_t layers, int64_t rank, int64_t features, int64_t start, int64_t layer_stride, int64_t rank_stride, bool transposed, bool affine,
                  random_numbers &r) {
    int64_t size = layers * rank * features;
    std::vector<float> y(start + layers * layer_stride + rank * rank_stride + features), scale(size), shift(size);
    for (std::vector<float> *v : {&y, &scale, &shift}) {
        for (float &f : *v) {
            f = r.normal();
        }
    }
    std::vector<double> expected(size);
    for (int64_t l = 0; l < layers; l++) {
        for (int64_t k = 0; k < rank; k++) {
            for (int64_t i = 0; i < features; i++) {
                int64_t e = transposed ? (l * features + i) * rank + k : (l * rank + k) * features + i;
                double v = y[start + l * layer_stride + k * rank_stride + i];
                expected[e] = affine ? v * scale[e] + shift[e] : v;
            }
        }
    }
    device<float> dy(y), dscale(scale), dshift(shift), out(size);
    launch(lora_factor_cut, dim3(3), 256, 0, out.data, layers, rank, features, dy.data + start, layer_stride, rank_stride, (int)transposed,
           affine ? dscale.data : nullptr, affine ? dshift.data : nullptr);
    char what[100];
    snprintf(what, sizeof what, "lora_factor %dx%dx%d%s%s", (int)layers, (int)rank, (int)features, transposed ? ", transposed" : "", affine ? ", affine" : "");
    expect(what, out.host(), expected, 1e-7);
}

int main() {
    random_numbers r = {13};
    for (bool transposed : {false, true}) {
        for (bool affine : {false, true}) {
            check(3, 8, 70, 5, 8 * 70 + 9, 70, transposed, affine, r);
            check(1, 1, 1, 0, 1, 1, transposed, affine, r);
            check(2, 3, 333, 7, 4000, 1024, transposed, affine, r);
        }
    }
    return finish("lorafactor");
}
