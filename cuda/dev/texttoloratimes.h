/* The times of texttolora.cu: gte-large's layers and T2L-L's pass as they follow each other in a graph. */
#pragma once

namespace plain {
#include "../linearpanels.cu"
}
namespace single {
#include "../attention.cu"
}
namespace norms {
#include "../layernorm.cu"
}
namespace ropes {
#include "../rope.cu"
}
namespace heads {
#include "../hyperheads.cu"
HEAD_PANELS(hyper_panels_32_l2, 32, 4, 2)
HEAD_PANELS(hyper_panels_64_l2, 64, 4, 2)
HEAD_PANELS(hyper_panels_96_l3, 96, 2, 3)
}

static const shape &named(const char *name, int rows = 48) {
    for (const shape &s : SHAPES) {
        if (strcmp(s.name, name) == 0 && s.rows == rows) {
            return s;
        }
    }
    abort();
}

struct product_choice {
    const char *name;
    int slices;
    bool two;
};

/* How a layer is made. */
struct choices {
    product_choice products, o, gated, down;
    int attention, prefetch;
    bool early;
};

/* 24 layers of 1024 wide and 4096 inside, 16 heads. */
struct encoder {
    enum { LAYERS = 24, H = 1024, I = 4096, HEADS = 16 };
    device<uint8_t> w;
    device<float> y1, y2, parts1, parts2, x, branch, q, k, v, context, gate, angles, norm, shift;
    device<int> ranges, fault;
    int64_t n;

    encoder(int64_t n, random_numbers &r)
        : w((size_t)LAYERS * (4 * H * H + 3 * H * I) * 2), y1(n * H), y2(normals(n * H, r)), parts1(n * H / 32), parts2(n * H / 32), x(n * H), branch(n * H), q(n * H), k(n * H), v(n * H),
          context(n * H), gate(n * I), angles(n * 64), norm(std::vector<float>(H, 1.0f)), shift(std::vector<float>(H, 0.0f)), fault(std::vector<int>{0}), n(n) {
        std::vector<uint16_t> pattern(1 << 20);
        for (uint16_t &h : pattern) {
            float f = r.normal() * 0.03f;
            uint32_t u;
            memcpy(&u, &f, 4);
            h = (uint16_t)(u >> 16);
        }
        for (size_t at = 0; at < w.count; at += pattern.size() * 2 - 8192) { /* no two layers alike */
            CHECK(cudaMemcpy(w.data + at, pattern.data(), std::min(pattern.size() * 2, w.count - at), cudaMemcpyHostToDevice));
        }
        std::vector<float> a(n * 64);
        std::vector<int> all;
        for (int i = 0; i < n; i++) {
            all.insert(all.end(), {i / 48 * 48, std::min<int>((int)n, i / 48 * 48 + 48)});
            for (int j = 0; j < 32; j++) {
                a[i * 64 + j] = (float)cos(i % 48 * pow(1e4, -j / 32.0));
                a[i * 64 + 32 + j] = (float)sin(i % 48 * pow(1e4, -j / 32.0));
            }
        }
        angles = device<float>(a);
        ranges = device<int>(all);
        std::vector<float> first = y2.host(), means = parts_of(first, n, H);
        parts2 = device<float>(means);
    }
    /* q, k, v, o, gate, up, down. */
    uint8_t *weight(int layer, int which) {
        return w.data + ((size_t)(layer % LAYERS) * (4 * H * H + 3 * H * I) + (which < 4 ? which * H * H : 4 * H * H + (which - 4) * H * I)) * 2;
    }

    /* As the backend does it without any of this. */
    void before(int layer, bool early) {
        typedef plain::panel_product to;
        auto product = [&](bool gated, int slices, int f, const float *from, int64_t in, std::vector<to> list, int units) {
            plain::panel_products products = {};
            int tiles = 0;
            for (size_t i = 0; i < list.size(); i++) {
                products.of[i] = list[i];
                products.of[i].first_tile = gated ? 0 : tiles;
                tiles += gated && i == 1 ? 0 : (int)(list[i].out / (units * (gated ? 32 : 64)));
            }
            const int stage = units * 8192 + 2 * 48 * 128, stages = std::min<int>((227 * 1024 - BARRIERS) / stage, (int)(in / 64 / slices));
            auto *kernel = gated ? plain::gated_panels_48_2 : units == 1 ? plain::linear_panels_48_1 : plain::linear_panels_48_2;
            launch_clusters(kernel, dim3(tiles * slices, (unsigned)((n + 47) / 48)), units * 160 + 256, BARRIERS + stages * stage, slices, early, from, n, in, slices, stages, (int)list.size(), f,
                            products);
        };
        auto of = [&](int which, float *y, int64_t out) { return to{weight(layer, which), nullptr, nullptr, y, out, T2L_F32, 0}; };
        auto layer_norm = [&]() {
            launch(norms::layer_norm, dim3((unsigned)n), 256, 0, x.data, x.data, branch.data, (int64_t)H, (uint8_t *)norm.data, (int)T2L_F32, (uint8_t *)shift.data, (int)T2L_F32, 1e-12f);
        };
        product(false, 2, -1, x.data, H, {of(0, q.data, H), of(1, k.data, H), of(2, v.data, H)}, 1);
        launch(ropes::rope, dim3((unsigned)n), 256, 0, q.data, (int)HEADS, 32, angles.data, 0);
        launch(ropes::rope, dim3((unsigned)n), 256, 0, k.data, (int)HEADS, 32, angles.data, 0);
        launch(single::attention_64, dim3((unsigned)((n + 63) / 64), HEADS), 256, single::tile<64, 64, 64>::BYTES, context.data, q.data, n, k.data, v.data, n, ranges.data, (int)HEADS, (int)HEADS, 64,
               0, 0.125f, 0.0f, fault.data);
        product(false, 4, -1, context.data, H, {of(3, branch.data, H)}, 1);
        layer_norm();
        product(true, 2, T2L_GELU, x.data, H, {of(4, gate.data, I), of(5, gate.data, I)}, 2);
        product(false, 8, -1, gate.data, I, {of(6, branch.data, H)}, 1);
        layer_norm();
    }

    void normed(encoder_products &p, device<float> &parts) {
        p.parts = parts.data, p.norm_weight = norm.data, p.norm_bias = shift.data, p.eps = 1e-12f, p.part_count = H / 64;
    }
    void next(encoder_products &p, int place, int layer, int which, int64_t count) {
        p.next[place] = weight(layer, which);
        p.next_bytes[place] = count * 2;
    }
    /* Steps to leave out are bits of `without`. */
    void after(int layer, const choices &c, int without = 0) {
        auto go = [&](const product_choice &choice, const float *from, int64_t in, int f, encoder_products &p, int count) {
            run(named(choice.name), from, n, in, choice.slices, f, p, count, choice.two, c.early);
        };
        if (!(without & 1)) {
            encoder_products p = {};
            p.of[0] = {weight(layer, 0), nullptr, q.data, H, T2L_F32, 0};
            p.of[1] = {weight(layer, 1), nullptr, k.data, H, T2L_F32, 0};
            p.of[2] = {weight(layer, 2), nullptr, v.data, H, T2L_F32, 0};
            normed(p, parts2);
            if (c.prefetch > 0) {
                next(p, 0, layer, 3, H * H);
            }
            if (c.prefetch == 1) {
                next(p, 1, layer, 4, 2 * H * I);
            }
            go(c.products, y2.data, H, -1, p, 3);
        }
        if (!(without & 2)) {
            attend(c.attention, context.data, q.data, n, k.data, v.data, ranges.data, HEADS, 64, fault.data, angles.data, c.early);
        }
        if (!(without & 4)) {
            encoder_products p = {};
            p.of[0] = {weight(layer, 3), nullptr, y1.data, H, T2L_F32, 0};
            normed(p, parts2);
            p.residual = y2.data, p.parts_out = parts1.data;
            if (c.prefetch > 0) {
                next(p, 0, layer, c.prefetch == 1 ? 6 : 4, c.prefetch == 1 ? H * I : 2 * H * I);
            }
            go(c.o, context.data, H, -1, p, 1);
        }
        if (!(without & 8)) {
            encoder_products p = {};
            p.of[0] = {weight(layer, 4), nullptr, gate.data, I, T2L_F32, 0};
            p.of[1] = {weight(layer, 5), nullptr, gate.data, I, T2L_F32, 0};
            normed(p, parts1);
            if (c.prefetch > 0) {
                next(p, 0, c.prefetch == 1 ? layer + 1 : layer, c.prefetch == 1 ? 0 : 6, c.prefetch == 1 ? 3 * H * H : H * I);
            }
            go(c.gated, y1.data, H, T2L_GELU, p, 2);
        }
        if (!(without & 16)) {
            encoder_products p = {};
            p.of[0] = {weight(layer, 6), nullptr, y2.data, H, T2L_F32, 0};
            normed(p, parts1);
            p.residual = y1.data, p.parts_out = parts2.data;
            if (c.prefetch == 2) {
                next(p, 0, layer + 1, 0, 3 * H * H);
            }
            go(c.down, gate.data, I, -1, p, 1);
        }
    }
    void last_norm(float *to, const float *from) {
        launch(norms::layer_norm, dim3((unsigned)n), 256, 0, to, from, (float *)nullptr, (int64_t)H, (uint8_t *)norm.data, (int)T2L_F32, (uint8_t *)shift.data, (int)T2L_F32, 1e-12f);
    }
};

static void show(const char *what, const choices &c, double us) {
    printf("%8.2f us a layer  %-10s [%s/%d%s] [%s/%d%s] [%s/%d%s] [%s/%d%s] attention %d, prefetch %d%s\n", us, what, c.products.name, c.products.slices, c.products.two ? " two" : "", c.o.name,
           c.o.slices, c.o.two ? " two" : "", c.gated.name, c.gated.slices, c.gated.two ? " two" : "", c.down.name, c.down.slices, c.down.two ? " two" : "", c.attention, c.prefetch,
           c.early ? ", early" : "");
}

static void encoder_times() {
    random_numbers r = {7};
    encoder e(48, r);
    choices best = {{"products", 4, true}, {"added", 4, true}, {"gated", 2, true}, {"added", 8, true}, 64, 1, true};

    /* Three layers of either kind agree. */
    std::vector<float> start = e.y2.host();
    e.last_norm(e.x.data, e.y2.data);
    for (int l = 0; l < 3; l++) {
        e.before(l, false);
    }
    std::vector<float> old = e.x.host();
    for (bool early : {false, true}) {
        CHECK(cudaMemcpy(e.y2.data, start.data(), start.size() * 4, cudaMemcpyHostToDevice));
        std::vector<float> parts = parts_of(start, e.n, e.H);
        CHECK(cudaMemcpy(e.parts2.data, parts.data(), parts.size() * 4, cudaMemcpyHostToDevice));
        choices c = best;
        c.early = early;
        for (int l = 0; l < 3; l++) {
            e.after(l, c);
        }
        e.last_norm(e.branch.data, e.y2.data);
        expect(early ? "three layers, early" : "three layers", e.branch.host(), std::vector<double>(old.begin(), old.end()), 1e-3);
    }

    printf("\ngte-large, 48 tokens, 24 layers in a graph\n");
    for (bool early : {false, true}) {
        printf("%8.2f us a layer  as before%s\n", time_us([&](int i) { e.before(i, early); }), early ? ", early" : "");
    }
    auto time = [&](const choices &c, int without = 0) { return time_us([&](int i) { e.after(i, c, without); }); };
    for (bool early : {false, true}) {
        for (int prefetch : {0, 1, 2}) {
            choices c = best;
            c.early = early, c.prefetch = prefetch;
            show("", c, time(c));
        }
    }
    double least = time(best);
    auto attempt = [&](const char *what, const choices &c) {
        double us = time(c);
        show(what, c, us);
        if (us < least) {
            least = us;
            best = c;
        }
    };
    for (int round = 0; round < 2; round++) {
        for (product_choice p : {product_choice{"products", 2, true}, {"products", 4, false}, {"products, 4 loaders", 4, false}, {"products, 4 loaders", 2, false}, {"products, more registers", 4, false},
                                 {"products, more registers", 2, false}, {"products, 1 unit", 2, true}, {"products, 1 unit", 4, true}}) {
            choices c = best;
            c.products = p;
            attempt("products", c);
        }
        for (product_choice p : {product_choice{"added", 8, true}, {"added", 4, false}, {"added, 2 units", 8, true}, {"added, 2 units", 8, false}, {"added, 2 units, 4 loaders", 8, false}, {"added, 1 unit, 4 loaders", 4, false},
                                 {"added, 1 unit, 4 loaders", 8, false}}) {
            choices c = best;
            c.o = p;
            attempt("o", c);
        }
        for (product_choice p : {product_choice{"gated", 2, false}, {"gated", 1, true}, {"gated, 4 loaders", 2, false}, {"gated, 4 loaders", 2, true}, {"gated, more registers", 2, false}, {"gated, more registers", 2, true}}) {
            choices c = best;
            c.gated = p;
            attempt("gated", c);
        }
        for (product_choice p : {product_choice{"added", 4, true}, {"added", 4, false}, {"added", 8, false}, {"added, 2 units", 8, true}, {"added, 2 units", 8, false}, {"added, 2 units, 4 loaders", 8, false},
                                 {"added, 1 unit, 4 loaders", 8, false}, {"added, 1 unit, 4 loaders", 4, false}}) {
            choices c = best;
            c.down = p;
            attempt("down", c);
        }
        for (int m : {32, 64}) {
            choices c = best;
            c.attention = m;
            attempt("attention", c);
        }
        for (int prefetch : {0, 1, 2}) {
            choices c = best;
            c.prefetch = prefetch;
            attempt("prefetch", c);
        }
    }
    show("best", best, least);
    static const char *const STEPS[] = {"q, k, v", "attention", "o", "gate, up", "down"};
    for (int s = 0; s < 5; s++) {
        printf("%8.2f us a layer without %s; %.2f us this alone\n", time(best, 1 << s), STEPS[s], time(best, 31 & ~(1 << s)));
    }
    for (int64_t n : {16, 32, 64, 128, 1536}) {
        encoder other(n, r);
        auto rows = [&](const product_choice &choice) { return (int)(n <= 16 ? 16 : n <= 32 ? 32 : n <= 64 ? 64 : 128); };
        const int of = rows(best.o);
        auto layer = [&](int l) {
            encoder_products p = {};
            p.of[0] = {other.weight(l, 0), nullptr, other.q.data, 1024, T2L_F32, 0};
            p.of[1] = {other.weight(l, 1), nullptr, other.k.data, 1024, T2L_F32, 0};
            p.of[2] = {other.weight(l, 2), nullptr, other.v.data, 1024, T2L_F32, 0};
            other.normed(p, other.parts2);
            run(named("products", of), other.y2.data, n, 1024, 4, -1, p, 3, of <= 32, true);
            attend(64, other.context.data, other.q.data, n, other.k.data, other.v.data, other.ranges.data, 16, 64, other.fault.data, other.angles.data, true);
            p.of[0] = {other.weight(l, 3), nullptr, other.y1.data, 1024, T2L_F32, 0};
            p.residual = other.y2.data, p.parts_out = other.parts1.data;
            run(named("added", of), other.context.data, n, 1024, 4, -1, p, 1, of <= 32, true);
            p.of[0] = {other.weight(l, 4), nullptr, other.gate.data, 4096, T2L_F32, 0};
            p.of[1] = {other.weight(l, 5), nullptr, other.gate.data, 4096, T2L_F32, 0};
            other.normed(p, other.parts1);
            run(named("gated", of), other.y1.data, n, 1024, 2, T2L_GELU, p, 2, of <= 32, true);
            p.of[0] = {other.weight(l, 6), nullptr, other.y2.data, 1024, T2L_F32, 0};
            p.residual = other.y1.data, p.parts_out = other.parts2.data;
            run(named("added", of), other.gate.data, n, 4096, n > 256 ? 2 : 8, -1, p, 1, of <= 32, true);
        };
        printf("%8.2f us a layer of %d rows, without prefetch; as before %.2f\n", time_us(layer), (int)n, time_us([&](int i) { other.before(i, false); }));
        printf("%8.2f us attention turned of %d rows\n",
               time_us([&](int) { attend(64, other.context.data, other.q.data, n, other.k.data, other.v.data, other.ranges.data, 16, 64, other.fault.data, other.angles.data, true); }), (int)n);
    }
}

/* T2L-L for Mistral-7B. */
struct network {
    enum { LAYERS = 32, RANK = 8, WIDTH = 512 };
    body_case body;
    int descriptions;
    device<uint8_t> w, bias;
    std::vector<device<float>> out;
    heads::head_cuts cuts = {};
    int units = 0;

    network(int descriptions, random_numbers &r)
        : body(2 * LAYERS * descriptions, 1024, descriptions, 4, WIDTH, true, r), descriptions(descriptions), w((size_t)(16384 + 5120 + 5120 + 16384) * 8 * WIDTH), bias((size_t)1 << 20) {
        std::vector<uint8_t> some(1 << 20);
        for (uint8_t &b : some) {
            b = (uint8_t)(r.below(128));
        }
        for (size_t at = 0; at + some.size() <= w.count; at += some.size()) {
            CHECK(cudaMemcpy(w.data + at, some.data(), some.size(), cudaMemcpyHostToDevice));
        }
        CHECK(cudaMemset(bias.data, 0, bias.count));
        const int features[2][2] = {{4096, 4096}, {4096, 1024}};
        int64_t row = 0;
        for (int m = 0; m < 2; m++) {
            for (int b = 0; b < 2; b++) {
                heads::head_cut &cut = cuts.cut[2 * m + b];
                const int first = (2 * m + b) * descriptions;
                cut = {body.y.data + (size_t)m * LAYERS * descriptions * WIDTH, w.data + row * WIDTH * 2, bias.data, nullptr, nullptr, features[m][b], RANK, b, features[m][b], LAYERS,
                       LAYERS * descriptions, first, units, T2L_F32};
                row += RANK * features[m][b];
                units += RANK * features[m][b] / 64;
                for (int d = 0; d < descriptions; d++) {
                    out.emplace_back((size_t)LAYERS * RANK * features[m][b]);
                    cuts.out[first + d] = out.back().data;
                }
            }
        }
    }
    template <int N, int UNITS, int LOADERS> void heads_by(void (*kernel)(int64_t, int, int, int, int, heads::head_cuts), int ahead, bool early, int blocks = 132) {
        typedef panel<N, UNITS, LOADERS> P;
        const int buffer = UNITS * 32 * (UNIT + 4) * 4, stages = std::min<int>(MOST_STAGES, (227 * 1024 - BARRIERS - buffer) / P::STAGE);
        launch_clusters(kernel, dim3(blocks), P::THREADS, BARRIERS + stages * P::STAGE + buffer, 1, early, (int64_t)WIDTH, stages, units, 4, ahead, cuts);
    }
};

static void network_times() {
    random_numbers r = {9};
    printf("\nT2L-L for Mistral-7B, in a graph\n");
    for (int descriptions : {1, 32}) {
        network a(descriptions, r), b(descriptions, r); /* two, so that the second cache has the other's weights */
        auto of = [&](int i) -> network & { return i % 2 == 0 ? a : b; };
        const int inner = descriptions == 1 ? 10 : 4;
        for (bool early : {false, true}) {
            printf("%3d: %8.2f us body%s\n", descriptions, time_us([&](int i) { of(i).body.run(early); }, inner), early ? ", early" : "");
        }
        for (int ahead : {0, 1, 2}) {
            for (bool early : {false, true}) {
                auto show = [&](const char *name, const std::function<void(network &)> &heads) {
                    const double alone = time_us([&](int i) { heads(of(i)); }, inner);
                    const double both = time_us(
                        [&](int i) {
                            of(i).body.run(early);
                            heads(of(i));
                        },
                        inner);
                    printf("%3d: %8.2f us heads, %8.2f us body and heads, %s, %d ahead%s\n", descriptions, alone, both, name, ahead, early ? ", early" : "");
                };
                if (descriptions == 1) {
                    show("32 rows", [&](network &n) { n.heads_by<32, 4, 1>(heads::hyper_panels_32, ahead, early); });
                    show("32 rows, 2 loaders", [&](network &n) { n.heads_by<32, 4, 2>(heads::hyper_panels_32_l2, ahead, early); });
                }
                if (descriptions > 1 && ahead < 2) {
                    show("64 rows", [&](network &n) { n.heads_by<64, 4, 1>(heads::hyper_panels_64, ahead, early); });
                    show("64 rows, 2 loaders", [&](network &n) { n.heads_by<64, 4, 2>(heads::hyper_panels_64_l2, ahead, early); });
                    show("128 rows", [&](network &n) { n.heads_by<128, 2, 2>(heads::hyper_panels_128, ahead, early); });
                    show("96 rows, 3 loaders", [&](network &n) { n.heads_by<96, 2, 3>(heads::hyper_panels_96_l3, ahead, early); });
                }
            }
        }
    }
}

static void times() {
    printf("copy %.2f TB/s\n", copy_bandwidth() * 1e-6);
    encoder_times();
    network_times();
}
