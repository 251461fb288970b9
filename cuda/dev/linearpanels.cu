/* Checks and times linearpanels.cu; see run.sh. */
#include "../linearpanels.cu"
#include "weights.h"

typedef void panel_kernel(const float *, int64_t, int64_t, int, int, int, int, panel_products);

struct panel_shape {
    int rows, units;
    bool gated;
    panel_kernel *kernel;
    int threads, stage;
};

#define SHAPES(N)                                                                                                        \
    {N, 1, false, linear_panels_##N##_1, panel<N, 1, 2>::THREADS, panel<N, 1, 2>::STAGE},                                \
        {N, 2, false, linear_panels_##N##_2, panel<N, 2, 2>::THREADS, panel<N, 2, 2>::STAGE},                            \
        {N, 2, true, gated_panels_##N##_2, panel<N, 2, 2>::THREADS, panel<N, 2, 2>::STAGE}
static const panel_shape PANEL_SHAPES[] = {SHAPES(16), SHAPES(32), SHAPES(48), SHAPES(64), SHAPES(96), SHAPES(128)};

static const panel_shape &shape_of(int rows, int units, bool gated) {
    for (const panel_shape &s : PANEL_SHAPES) {
        if (s.rows == rows && s.units == units && s.gated == gated) {
            return s;
        }
    }
    abort();
}

/* As many slices as leave each two blocks of k and the device no more blocks than it can run at once. */
static int slices_of(int64_t out, int64_t in) {
    int slices = 1;
    while (slices < 8 && (out + 63) / 64 * slices * 2 <= 128 && in / 64 / (slices * 2) >= 2) {
        slices *= 2;
    }
    return slices;
}

static void run(const panel_shape &s, const float *x, int64_t n, int64_t in, int slices, int stages, int f, std::vector<panel_product> list, bool early) {
    panel_products products = {};
    int tiles = 0;
    const int outputs = s.gated ? 64 : s.units * 64;
    for (size_t i = 0; i < list.size(); i++) {
        products.of[i] = list[i];
        products.of[i].first_tile = s.gated ? 0 : tiles;
        tiles += s.gated && i == 1 ? 0 : (int)((list[i].out + outputs - 1) / outputs);
    }
    int sums = s.rows * (s.units * 64 + 4) * 4;
    int least = std::max(2, (sums + s.stage - 1) / s.stage); /* one is filled while another is multiplied */
    int most = std::min<int>((227 * 1024 - BARRIERS) / s.stage, MOST_STAGES);
    int wanted = (int)((in / 64 + slices - 1) / slices);
    stages = std::max(least, std::min(most, stages > 0 ? stages : wanted));
    launch_clusters(s.kernel, dim3(tiles * slices, (unsigned)((n + s.rows - 1) / s.rows)), s.threads, BARRIERS + stages * s.stage, slices, early, x, n, in, slices, stages,
                    (int)list.size(), f, products);
}

static double function(double x, int f) {
    return f == T2L_SILU ? x / (1 + exp(-x)) : f == T2L_GELU ? 0.5 * x * erfc(-x * sqrt(0.5)) : f == T2L_RELU ? std::max(x, 0.0) : f < 0 ? x : NAN;
}

/* Two products of other sizes, and one gated, by every kernel: right, and each bit for bit as the others; the last row alone as among all. */
static void check(int64_t n, int64_t in, int64_t out, int slices, int f, random_numbers &r) {
    weights w(T2L_BF16, out, in, r), other(T2L_BF16, out, in, r), small(T2L_BF16, 24, in, r);
    std::vector<float> x = normals(n * in, r), bias = normals(out, r), residual = normals(n * out, r);
    device<uint8_t> dw(w.bytes), dother(other.bytes), dsmall(small.bytes);
    device<float> dx(x), dbias(bias), dresidual(residual);
    std::vector<double> expected = product(x, n, w, &bias), up = product(x, n, other, nullptr), second = product(x, n, small, nullptr), gated = expected;
    for (size_t i = 0; i < expected.size(); i++) {
        expected[i] = function(expected[i], f);
        gated[i] = expected[i] * up[i];
        expected[i] += residual[i];
    }
    for (double &v : second) {
        v = function(v, f);
    }
    std::vector<float> first[3];
    for (const panel_shape &s : PANEL_SHAPES) {
        device<float> y(n * out), z(n * 24), one(out);
        auto product_of = [&](const device<uint8_t> &weights, const device<float> &to, int64_t rows, bool plain, int64_t from) {
            return panel_product{weights.data, plain ? nullptr : dbias.data, plain || s.gated ? nullptr : dresidual.data + from * out, to.data, rows, T2L_F32, 0};
        };
        std::vector<panel_product> list = {product_of(dw, y, out, false, 0)};
        list.push_back(s.gated ? product_of(dother, y, out, true, 0) : product_of(dsmall, z, 24, true, 0));
        run(s, dx.data, n, in, slices, s.rows % 3, f, list, false);
        char what[120];
        snprintf(what, sizeof what, "%s panels %d, units %d, n %d, in %d, out %d, slices %d", s.gated ? "gated" : "linear", s.rows, s.units, (int)n, (int)in, (int)out, slices);
        std::vector<float> all = y.host();
        expect(what, all, s.gated ? gated : expected, 2e-5);
        if (!s.gated) {
            expect(what, z.host(), second, 2e-5);
        }
        for (int which = 0; which < (s.gated ? 1 : 2); which++) {
            std::vector<float> &before = first[s.gated ? 2 : which];
            std::vector<float> now = which == 0 ? all : z.host();
            failures += !before.empty() && memcmp(before.data(), now.data(), now.size() * 4) != 0 && printf("FAIL %s: other bits than by the other kernel\n", what);
            before = now;
        }
        list = {product_of(dw, one, out, false, n - 1)};
        if (s.gated) {
            list.push_back(product_of(dother, one, out, true, 0));
        }
        run(s, dx.data + (n - 1) * in, 1, in, slices, 3, f, list, false);
        failures += memcmp(one.host().data(), &all[(n - 1) * out], out * 4) != 0 && printf("FAIL %s: the last row alone has other bits\n", what);
    }
}

#ifndef T2L_EMULATE
#include "../lineartiles.cu"

/* gte-large: 24 layers of 1024 wide and 4096 inside. */
struct encoder {
    enum { LAYERS = 24, H = 1024, I = 4096 };
    device<uint8_t> w;
    device<float> x, q, k, v, gate;
    int64_t n;

    encoder(int64_t n, random_numbers &r)
        : w((size_t)LAYERS * (4 * H * H + 3 * H * I) * 2), x(normals(n * H, r)), q(normals(n * H, r)), k(n * H), v(n * H), gate(normals(n * I, r)), n(n) {
        weights pattern(T2L_BF16, 1024, 1024, r, false);
        for (size_t at = 0; at < w.count; at += pattern.bytes.size()) {
            CHECK(cudaMemcpy(w.data + at, pattern.bytes.data(), std::min(pattern.bytes.size(), w.count - at), cudaMemcpyHostToDevice));
        }
    }
    /* The weights of product 0 to 6: q, k, v, o, gate, up, down. */
    uint8_t *weight(int layer, int which) {
        return w.data + ((size_t)layer * (4 * H * H + 3 * H * I) + (which < 4 ? which * H * H : 4 * H * H + (which - 4) * H * I)) * 2;
    }
    panel_product to(int layer, int which, device<float> &y, int64_t out) {
        return {weight(layer, which), nullptr, nullptr, y.data, out, T2L_F32, 0};
    }

    /* One of: 0 q, k, v; 1 o; 2 gate and up; 3 down. */
    void product(int layer, int which, int rows, int units, int slices, int stages, bool early) {
        switch (which) {
        case 0:
            return run(shape_of(rows, units, false), x.data, n, H, slices, stages, -1, {to(layer, 0, q, H), to(layer, 1, k, H), to(layer, 2, v, H)}, early);
        case 1:
            return run(shape_of(rows, units, false), q.data, n, H, slices, stages, -1, {to(layer, 3, x, H)}, early);
        case 2:
            return run(shape_of(rows, 2, true), x.data, n, H, slices, stages, T2L_GELU, {to(layer, 4, gate, I), to(layer, 5, gate, I)}, early);
        default:
            return run(shape_of(rows, units, false), gate.data, n, I, slices, stages, -1, {to(layer, 6, x, H)}, early);
        }
    }
    double bytes(int which) const {
        return 2.0 * (which == 0 ? 3 * H * H : which == 1 ? H * H : which == 2 ? 2 * H * I : H * I);
    }
    void tiles(int layer, int which) {
        const bool few = n < 512;
        const int rows = few ? 64 : 128, columns = few ? 32 : 128, threads = few ? 128 : 256;
        int shared = few ? (int)::tiles<T2L_BF16, 64, 32>::SHARED : (int)::tiles<T2L_BF16, 128, 128>::SHARED;
        auto one = [&](int w, device<float> &in, device<float> &out) {
            int64_t width = w == 6 ? I : H, outputs = w == 4 || w == 5 ? I : H;
            launch(few ? linear_tiles_bf16_64 : linear_tiles_bf16_128, dim3(outputs / columns, (n + rows - 1) / rows), threads, shared, out.data, in.data, n, width, weight(layer, w),
                   width * 2, outputs, (const void *)nullptr, (int)T2L_F32);
        };
        if (which == 0) {
            one(0, x, q), one(1, x, k), one(2, x, v);
        } else if (which == 1) {
            one(3, q, x);
        } else if (which == 2) {
            one(4, x, gate), one(5, x, gate);
        } else {
            one(6, gate, x);
        }
    }
};

static const char *const PRODUCTS[] = {"q, k, v", "o", "gate, up", "down"};

static void times() {
    random_numbers r = {7};
    const double copy = copy_bandwidth();
    printf("\nlinearpanels.cu: gte-large, 24 layers in a graph, microseconds a launch (copy %.2f TB/s)\n", copy * 1e-6);
    for (int64_t n : {48, 1536}) {
        encoder e(n, r);
        const int64_t outs[] = {1024, 1024, 4096, 1024}, ins[] = {1024, 1024, 1024, 4096};
        for (int which = 0; which < 4; which++) {
            const double flops = e.bytes(which) * n;
            auto show = [&](const char *kernel, int rows, int units, int slices, int stages, bool early, double us) {
                printf("%5d %-9s %-7s %4d rows %d units %d slices %2d stages%s %8.2f us %6.2f TB/s %7.1f TFLOP/s\n", (int)n, PRODUCTS[which], kernel, rows, units, slices, stages,
                       early ? " early" : "      ", us, e.bytes(which) / us * 1e-6, flops / us * 1e-6);
            };
            show("tiles", n < 512 ? 64 : 128, 0, 1, 0, false, time_us([&](int i) { e.tiles(i, which); }));
            const int best = slices_of(outs[which], ins[which]);
            for (int units : {1, 2}) {
                if (units == 1 && which == 2) {
                    continue;
                }
                for (int slices : {best / 2, best}) {
                    for (bool early : {false, true}) {
                        if (slices == 0 || (n > 48 && (early || (slices != best)))) {
                            continue;
                        }
                        for (int stages : {0, 3}) {
                            if (n > 48 || stages == 0 || (slices == best && which >= 2)) {
                                const int rows = n > 48 ? 128 : 48;
                                show("panels", rows, units, slices, stages, early, time_us([&](int i) { e.product(i, which, rows, units, slices, stages, early); }));
                            }
                        }
                    }
                }
            }
            if (n > 48) {
                show("panels", 128, 2, 1, 0, false, time_us([&](int i) { e.product(i, which, 128, 2, 1, 0, false); }));
                show("panels", 64, 2, 1, 0, false, time_us([&](int i) { e.product(i, which, 64, 2, 1, 0, false); }));
            } else {
                show("panels", 64, 2, best, 0, true, time_us([&](int i) { e.product(i, which, 64, 2, best, 0, true); }));
            }
        }
        auto layers = [&](const char *what, const std::function<void(int, int)> &product) {
            double us = time_us(
                [&](int i) {
                    for (int which = 0; which < 4; which++) {
                        product(i, which);
                    }
                },
                24);
            printf("%5d rows, all products of a layer, %-28s %8.2f us, of 24 layers %8.1f us\n", (int)n, what, us, us * 24);
        };
        const int rows = n > 48 ? 128 : 48;
        layers("tiles", [&](int i, int which) { e.tiles(i, which); });
        for (int units : {1, 2}) {
            for (bool early : {false, true}) {
                char what[60];
                snprintf(what, sizeof what, "panels, %d units%s", units, early ? ", early" : "");
                layers(what, [&](int i, int which) { e.product(i, which, rows, units, slices_of(outs[which], ins[which]), 0, early); });
            }
        }
    }
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {3};
    check(5, 64, 40, 1, T2L_SILU, r);
    check(17, 192, 70, 2, T2L_RELU, r);
#ifdef T2L_EMULATE
    check(3, 512, 33, 8, T2L_GELU, r);
#else
    check(50, 128, 70, 2, -1, r);
    check(33, 192, 33, 1, T2L_GELU, r);
    check(17, 576, 139, 4, T2L_RELU, r);
    check(130, 1024, 333, 8, T2L_SILU, r);
    check(48, 1024, 1024, 8, -1, r);
    check(300, 4096, 200, 2, T2L_GELU, r);
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("linearpanels");
}
