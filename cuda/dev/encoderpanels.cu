/* Checks encoderpanels.cu, and times it with encoderattention.cu as the layers of gte-large follow each other; see run.sh. */
#include "../encoderpanels.cu"
#include "../attention.cuh"
#include "norms.h"
namespace attend {
#include "../encoderattention.cu"
}

typedef void encoder_kernel(const float *, int64_t, int64_t, int, int, int, int, encoder_products);

enum kind { PRODUCTS, GATED, ADDED, KINDS };

struct shape {
    int rows, loaders;
    kind what;
    encoder_kernel *kernel;
    int stage() const {
        return 2 * UNIT * DEPTH * 2 + 2 * rows * DEPTH * 2;
    }
};

#define OF(N, LOADERS) {N, LOADERS, PRODUCTS, encoder_products_##N}, {N, LOADERS, GATED, encoder_gated_##N}, {N, LOADERS, ADDED, encoder_added_##N}
static const shape SHAPES[] = {OF(16, 4), OF(32, 4), OF(48, 4), OF(64, 4), OF(96, 2), OF(128, 2)};

static void run(const shape &s, const float *x, int64_t n, int64_t in, int slices, int f, encoder_products products, int count, bool early) {
    int tiles = 0;
    const int outputs = s.what == GATED ? 64 : 128;
    for (int i = 0; i < count; i++) {
        products.of[i].first_tile = s.what == GATED ? 0 : tiles;
        tiles += s.what == GATED && i == 1 ? 0 : (int)((products.of[i].out + outputs - 1) / outputs);
    }
    const int known = s.rows <= FEW_ROWS ? 0 : s.rows * 8;
    const int least = std::max(2, (s.rows * 132 * 4 + s.stage() - 1) / s.stage());
    const int most = std::min<int>((227 * 1024 - BARRIERS - known) / s.stage(), MOST_STAGES);
    const int stages = std::max(least, std::min(most, (int)((in / 64 + slices - 1) / slices)));
    launch_clusters(s.kernel, dim3(tiles * slices, (unsigned)((n + s.rows - 1) / s.rows)), 320 + s.loaders * 128, BARRIERS + stages * s.stage() + known, slices, early, x, n, in, slices,
                    stages, count, f, products);
}

static double gelu(double x) {
    return 0.5 * x * erfc(-x * sqrt(0.5));
}

/* Every kernel: right, with the bits of the others of its kind, and the last row alone as among all. */
static void check(int64_t n, int64_t in, int64_t out, int slices, bool norm, random_numbers &r) {
    weights a(T2L_BF16, out, in, r), b(T2L_BF16, out, in, r);
    std::vector<float> x = normals(n * in, r), bias = normals(out, r), residual = normals(n * out, r), weight = normals(std::max(in, out), r), shift = normals(std::max(in, out), r);
    for (float &v : x) {
        v = v * 2 + 1;
    }
    device<uint8_t> da(a.bytes), db(b.bytes);
    device<float> dx(x), dbias(bias), dresidual(residual), dweight(weight), dshift(shift), parts_x(parts_of(x, n, in)), parts_r(parts_of(residual, n, out));
    std::vector<double> z = norm ? layer_norms(x, n, in, weight, shift, 1e-5) : std::vector<double>(x.begin(), x.end());
    std::vector<double> ya = product(floats(z), n, a, &bias), yb = product(floats(z), n, b, nullptr), gated = ya;
    std::vector<double> added = product(x, n, a, &bias), old = norm ? layer_norms(residual, n, out, weight, shift, 1e-5) : std::vector<double>(residual.begin(), residual.end());
    for (size_t i = 0; i < gated.size(); i++) {
        gated[i] = gelu(ya[i]) * yb[i];
        added[i] += old[i];
    }
    std::vector<float> before[KINDS];
    for (const shape &s : SHAPES) {
        auto launch = [&](int64_t from, int64_t rows, float *y, float *other, float *parts) {
            encoder_products p = {};
            p.of[0] = {da.data, dbias.data, y, out, T2L_F32, 0};
            p.of[1] = {db.data, nullptr, other, out, T2L_F32, 0};
            if (norm) {
                p.parts = s.what == ADDED ? parts_r.data + from * out / 32 : parts_x.data + from * in / 32;
                p.norm_weight = dweight.data, p.norm_bias = dshift.data, p.eps = 1e-5f;
                p.part_count = (int)((s.what == ADDED ? out : in) / 64);
            }
            p.residual = dresidual.data + from * out;
            p.parts_out = parts;
            run(s, dx.data + from * in, rows, in, slices, s.what == GATED ? T2L_GELU : -1, p, s.what == ADDED ? 1 : 2, false);
        };
        device<float> y(n * out), other(n * out), parts(n * out / 32), one(out), one_other(out), one_parts(out / 32);
        launch(0, n, y.data, other.data, parts.data);
        char what[160];
        snprintf(what, sizeof what, "kind %d, rows %d, n %d, in %d, out %d, slices %d, norm %d", s.what, s.rows, (int)n, (int)in, (int)out, slices, norm);
        std::vector<float> all = y.host();
        expect(what, all, s.what == GATED ? gated : s.what == ADDED ? added : ya, 2e-5);
        if (s.what == PRODUCTS) {
            expect(what, other.host(), yb, 2e-5);
        } else if (s.what == ADDED) {
            std::vector<float> wanted = parts_of(all, n, out);
            expect(what, parts.host(), std::vector<double>(wanted.begin(), wanted.end()), 1e-5);
        }
        std::vector<float> &first = before[s.what];
        failures += !first.empty() && memcmp(first.data(), all.data(), all.size() * 4) != 0 && printf("FAIL %s: other bits than by the other kernel\n", what);
        first = all;
        launch(n - 1, 1, one.data, one_other.data, one_parts.data);
        failures += memcmp(one.host().data(), &all[(n - 1) * out], out * 4) != 0 && printf("FAIL %s: the last row alone has other bits\n", what);
    }
}

#ifndef T2L_EMULATE
/* Layers of 1024 wide and 4096 inside, 16 heads; more of them than the second cache holds. */
struct encoder {
    enum { LAYERS = 24, H = 1024, I = 4096, HEADS = 16 };
    device<uint8_t> w;
    device<float> y1, y2, parts1, parts2, q, k, v, context, gate, angles, norm, shift;
    device<int> ranges, fault;
    int64_t n;

    encoder(int64_t n, random_numbers &r)
        : w((size_t)LAYERS * (4 * H * H + 3 * H * I) * 2), y1(n * H), y2(normals(n * H, r)), parts1(n * H / 32), parts2(n * H / 32), q(n * H), k(n * H), v(n * H), context(n * H), gate(n * I),
          angles(normals(n * 64, r)), norm(std::vector<float>(H, 1.0f)), shift(std::vector<float>(H, 0.0f)), fault(std::vector<int>{0}), n(n) {
        CHECK(cudaMemset(w.data, 0x3c, w.count));
        std::vector<int> all;
        for (int i = 0; i < n; i++) {
            all.insert(all.end(), {i / 48 * 48, std::min<int>((int)n, i / 48 * 48 + 48)});
        }
        ranges = device<int>(all);
        parts2 = device<float>(parts_of(y2.host(), n, H));
    }
    encoder_product weights(int layer, int which, float *y, int64_t out) {
        const size_t at = (size_t)(layer % LAYERS) * (4 * H * H + 3 * H * I) + (which < 4 ? which * H * H : 4 * H * H + (which - 4) * H * I);
        return {w.data + at * 2, nullptr, y, out, T2L_F32, 0};
    }
    void launch(kind what, int slices, const float *x, int64_t in, std::vector<encoder_product> of, const device<float> &parts, const float *residual, float *to, bool early) {
        encoder_products p = {};
        std::copy(of.begin(), of.end(), p.of);
        p.parts = parts.data, p.norm_weight = norm.data, p.norm_bias = shift.data, p.eps = 1e-12f, p.part_count = H / 64;
        p.residual = residual, p.parts_out = to;
        int place = what;
        while (place + KINDS < (int)(sizeof SHAPES / sizeof *SHAPES) && SHAPES[place].rows < n) {
            place += KINDS;
        }
        run(SHAPES[place], x, n, in, slices, what == GATED ? T2L_GELU : -1, p, (int)of.size(), early);
    }
    /* Steps to leave out are bits of `without`. */
    void layer(int l, bool early, int without = 0) {
        if (!(without & 1)) {
            launch(PRODUCTS, 4, y2.data, H, {weights(l, 0, q.data, H), weights(l, 1, k.data, H), weights(l, 2, v.data, H)}, parts2, nullptr, nullptr, early);
        }
        if (!(without & 2)) {
            launch_clusters(attend::encoder_attention_64, dim3(HEADS, (unsigned)((n + 15) / 16)), 128, 0, 1, early, context.data, q.data, n, k.data, v.data, ranges.data, (int)HEADS, 0.125f, fault.data,
                            angles.data);
        }
        if (!(without & 4)) {
            launch(ADDED, 8, context.data, H, {weights(l, 3, y1.data, H)}, parts2, y2.data, parts1.data, early);
        }
        if (!(without & 8)) {
            launch(GATED, 2, y1.data, H, {weights(l, 4, gate.data, I), weights(l, 5, gate.data, I)}, parts1, nullptr, nullptr, early);
        }
        if (!(without & 16)) {
            launch(ADDED, 8, gate.data, I, {weights(l, 6, y2.data, H)}, parts1, y1.data, parts2.data, early);
        }
    }
};

static void times() {
    random_numbers r = {7};
    printf("copy %.2f TB/s; gte-large, 24 layers in a graph\n", copy_bandwidth() * 1e-6);
    for (int n : {16, 32, 48, 64, 96, 128, 1536}) {
        encoder e(n, r);
        printf("%8.2f us a layer of %d rows, %.2f early\n", time_us([&](int l) { e.layer(l, false); }), n, time_us([&](int l) { e.layer(l, true); }));
        if (n == 48) {
            static const char *const STEPS[] = {"q, k, v", "attention", "o", "gate, up", "down"};
            for (int s = 0; s < 5; s++) {
                printf("%8.2f us without %s, %.2f us this alone\n", time_us([&](int l) { e.layer(l, true, 1 << s); }), STEPS[s], time_us([&](int l) { e.layer(l, true, 31 & ~(1 << s)); }));
            }
        }
    }
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {11};
    check(5, 64, 64, 1, true, r);
    check(3, 128, 192, 2, true, r);
#ifdef T2L_EMULATE
    check(2, 256, 64, 4, false, r);
#else
    check(48, 1024, 1024, 4, true, r);
    check(130, 512, 320, 8, true, r);
    check(17, 256, 64, 4, false, r);
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("encoderpanels");
}
