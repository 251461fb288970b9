/* Checks and times encoderpanels.cu, hyperbody.cu and attention with rope, alone and one after the other as text to adapter needs them; see run.sh. */
#include "../encoderpanels.cu"
#include "../hyperbody.cu"
#include "../attention.cuh"
#include "weights.h"
namespace tiled {
#include "../attentiontiles.cu"
}

/* Beside those in use. */
ENCODER(products_48_l4, 48, 2, 4, false, false, 1)
ENCODER(products_48_b1, 48, 2, 2, false, false, 1)
ENCODER(products_48_u1, 48, 1, 2, false, false, 2)
ENCODER(gated_48_l4, 48, 2, 4, true, false, 1)
ENCODER(gated_48_b1, 48, 2, 2, true, false, 1)
ENCODER(added_48_u2, 48, 2, 2, false, true, 1)
ENCODER(added_48_u2_l4, 48, 2, 4, false, true, 1)
ENCODER(added_48_u1_l4, 48, 1, 4, false, true, 1)

typedef void encoder_kernel(const float *, int64_t, int64_t, int, int, int, int, encoder_products);
typedef void attention_kernel(float *, const float *, int64_t, const float *, const float *, int64_t, const int *, int, int, int, int, float, float, int *, const float *);

enum kind { PRODUCTS, GATED, ADDED };

struct shape {
    const char *name;
    int rows, units, loaders;
    kind what;
    encoder_kernel *kernel;
    int stage() const {
        return units * UNIT * DEPTH * 2 + 2 * rows * DEPTH * 2;
    }
    int threads() const {
        return units * 160 + loaders * 128;
    }
};

#define OF(N) {"products", N, 2, 2, PRODUCTS, encoder_products_##N}, {"gated", N, 2, 2, GATED, encoder_gated_##N}, {"added", N, 1, 2, ADDED, encoder_added_##N}
static const shape SHAPES[] = {
    OF(16), OF(32), OF(48), OF(64), OF(128),
    {"products, 4 loaders", 48, 2, 4, PRODUCTS, products_48_l4},
    {"products, more registers", 48, 2, 2, PRODUCTS, products_48_b1},
    {"products, 1 unit", 48, 1, 2, PRODUCTS, products_48_u1},
    {"gated, 4 loaders", 48, 2, 4, GATED, gated_48_l4},
    {"gated, more registers", 48, 2, 2, GATED, gated_48_b1},
    {"added, 2 units", 48, 2, 2, ADDED, added_48_u2},
    {"added, 2 units, 4 loaders", 48, 2, 4, ADDED, added_48_u2_l4},
    {"added, 1 unit, 4 loaders", 48, 1, 4, ADDED, added_48_u1_l4},
};

/* Two blocks on a multiprocessor if `two`. */
static void run(const shape &s, const float *x, int64_t n, int64_t in, int slices, int f, encoder_products products, int count, bool two, bool early) {
    int tiles = 0;
    const int outputs = (s.what == GATED ? 1 : s.units) * 64;
    for (int i = 0; i < count; i++) {
        products.of[i].first_tile = s.what == GATED ? 0 : tiles;
        tiles += s.what == GATED && i == 1 ? 0 : (int)((products.of[i].out + outputs - 1) / outputs);
    }
    const int known = s.rows <= FEW_ROWS ? 0 : s.rows * 8;
    const int least = std::max(2, (s.rows * (s.units * 64 + 4) * 4 + s.stage() - 1) / s.stage());
    const int most = std::min<int>(((two ? 113 : 227) * 1024 - BARRIERS - known) / s.stage(), MOST_STAGES);
    const int stages = std::max(least, std::min(most, (int)((in / 64 + slices - 1) / slices)));
    launch_clusters(s.kernel, dim3(tiles * slices, (unsigned)((n + s.rows - 1) / s.rows)), s.threads(), BARRIERS + stages * s.stage() + known, slices, early, x, n, in, slices,
                    stages, count, f, products);
}

/* Layer norms in double, and what launches leave for them. */
static std::vector<double> layer_norms(const std::vector<float> &x, int64_t n, int64_t d, const std::vector<float> &weight, const std::vector<float> &bias, double eps) {
    std::vector<double> y(x.begin(), x.end());
    for (int64_t i = 0; i < n; i++) {
        double mean = 0, squares = 0;
        for (int64_t k = 0; k < d; k++) {
            mean += y[i * d + k] / d;
        }
        for (int64_t k = 0; k < d; k++) {
            squares += (y[i * d + k] - mean) * (y[i * d + k] - mean) / d;
        }
        for (int64_t k = 0; k < d; k++) {
            y[i * d + k] = (y[i * d + k] - mean) / sqrt(squares + eps) * weight[k] + bias[k];
        }
    }
    return y;
}

static std::vector<float> parts_of(const std::vector<float> &x, int64_t n, int64_t d) {
    std::vector<float> parts;
    for (int64_t part = 0; part < n * d / 64; part++) {
        double mean = 0, squares = 0;
        for (int k = 0; k < 64; k++) {
            mean += x[part * 64 + k] / 64.0;
        }
        for (int k = 0; k < 64; k++) {
            squares += (x[part * 64 + k] - mean) * (x[part * 64 + k] - mean);
        }
        parts.push_back((float)mean);
        parts.push_back((float)squares);
    }
    return parts;
}

static std::vector<float> floats(const std::vector<double> &v) {
    return std::vector<float>(v.begin(), v.end());
}

static double gelu(double x) {
    return 0.5 * x * erfc(-x * sqrt(0.5));
}

/* Every kernel: right, with the bits of the others of its kind, and the last row alone as among all. */
static void check_encoder(int64_t n, int64_t in, int64_t out, int slices, bool norm, random_numbers &r) {
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
    std::vector<float> before[3];
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
            run(s, dx.data + from * in, rows, in, slices, s.what == GATED ? T2L_GELU : -1, p, s.what == ADDED ? 1 : 2, true, false);
        };
        device<float> y(n * out), other(n * out), parts(n * out / 32), one(out), one_other(out), one_parts(out / 32);
        launch(0, n, y.data, other.data, parts.data);
        char what[160];
        snprintf(what, sizeof what, "%s, rows %d, n %d, in %d, out %d, slices %d, norm %d", s.name, s.rows, (int)n, (int)in, (int)out, slices, norm);
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

static void attend(int m, float *out, const float *q, int64_t n, const float *k, const float *v, const int *ranges, int heads, int d, int *fault, const float *angles, bool early) {
    typedef tiled::flash<64, 64, 1, 64, 3> whole;
    typedef tiled::flash<64, 32, 1, 64, 3> half;
    attention_kernel *kernel = m == 64 ? tiled::attention_turned_64_64 : tiled::attention_turned_64_32;
    launch_clusters(kernel, dim3(heads, (unsigned)((n + m - 1) / m)), m * 2, m == 64 ? (int)whole::BYTES : (int)half::BYTES, 1, early, out, q, n, k, v, n, ranges, heads, heads, d, 0,
                    (float)(1 / sqrt((double)d)), 0.0f, fault, angles);
}

static void check_attention(int heads, int d, std::vector<int> lengths, bool turned, random_numbers &r) {
    std::vector<int> ranges, positions;
    for (int l : lengths) {
        int base = (int)positions.size();
        for (int i = 0; i < l; i++) {
            ranges.insert(ranges.end(), {base, base + l});
            positions.push_back(i);
        }
    }
    int64_t n = positions.size(), cols = heads * d;
    std::vector<float> q = normals(n * cols, r), k = normals(n * cols, r), v = normals(n * cols, r), angles(n * d);
    for (int64_t i = 0; i < n; i++) {
        for (int j = 0; j < d / 2; j++) {
            angles[i * d + j] = (float)cos(positions[i] * pow(1e4, -2.0 * j / d));
            angles[i * d + d / 2 + j] = (float)sin(positions[i] * pow(1e4, -2.0 * j / d));
        }
    }
    auto rotated = [&](const std::vector<float> &x) {
        std::vector<double> y(x.begin(), x.end());
        for (int64_t i = 0; turned && i < n; i++) {
            for (int at = 0; at < cols; at += d) {
                for (int j = 0; j < d / 2; j++) {
                    double a = x[i * cols + at + j], b = x[i * cols + at + j + d / 2], c = angles[i * d + j], s = angles[i * d + d / 2 + j];
                    y[i * cols + at + j] = a * c - b * s;
                    y[i * cols + at + j + d / 2] = b * c + a * s;
                }
            }
        }
        return y;
    };
    std::vector<double> tq = rotated(q), tk = rotated(k), expected(n * cols);
    for (int64_t i = 0; i < n; i++) {
        for (int at = 0; at < cols; at += d) {
            std::vector<double> w;
            double largest = -1e300, total = 0;
            for (int j = ranges[2 * i]; j < ranges[2 * i + 1]; j++) {
                double dot = 0;
                for (int x = 0; x < d; x++) {
                    dot += tq[i * cols + at + x] * tk[j * cols + at + x];
                }
                w.push_back(dot / sqrt((double)d));
                largest = std::max(largest, w.back());
            }
            for (double &x : w) {
                x = exp(x - largest);
                total += x;
            }
            for (size_t j = 0; j < w.size(); j++) {
                for (int x = 0; x < d; x++) {
                    expected[i * cols + at + x] += w[j] / total * v[(ranges[2 * i] + j) * cols + at + x];
                }
            }
        }
    }
    device<float> dq(q), dk(k), dv(v), dangles(angles);
    device<int> dranges(ranges), fault(std::vector<int>{0});
    for (int m : {64, 32}) {
        device<float> out(n * cols);
        attend(m, out.data, dq.data, n, dk.data, dv.data, dranges.data, heads, d, fault.data, turned ? dangles.data : nullptr, false);
        char what[100];
        snprintf(what, sizeof what, "attention of %d, heads %d of %d, n %d%s", m, heads, d, (int)n, turned ? ", turned" : "");
        expect(what, out.host(), expected, 5e-6);
    }
}

/* A hypernetwork's body: the task encoder or none, then blocks. */
struct body_case {
    int n, width, descriptions, blocks, out;
    bool task;
    std::vector<weights> up, down;
    std::vector<std::vector<float>> norm, shift, up_bias, down_bias;
    std::vector<device<uint8_t>> dup, ddown;
    std::vector<device<float>> dnorm, dshift, dup_bias, ddown_bias;
    weights task_w;
    std::vector<float> x, embeddings, task_bias, task_norm, task_shift;
    std::vector<int> description;
    device<uint8_t> dtask;
    device<float> dx, dembeddings, dtask_bias, dtask_norm, dtask_shift, y;
    device<int> ddescription;
    body_network net = {};

    static std::vector<float> scaled(std::vector<float> v, float by) {
        for (float &f : v) {
            f *= by;
        }
        return v;
    }
    /* Small enough for silu to be no ramp: the weights' norm of a row is about 1. */
    static weights small(int64_t out, int64_t in, random_numbers &r) {
        weights w(T2L_BF16, out, in, r);
        for (size_t i = 0; i < w.values.size(); i++) {
            w.values[i] *= 0.0625f; /* exact */
            uint32_t u;
            memcpy(&u, &w.values[i], 4);
            uint16_t h = (uint16_t)(u >> 16);
            memcpy(&w.bytes[2 * i], &h, 2);
        }
        return w;
    }

    body_case(int n, int width, int descriptions, int blocks, int out, bool task, random_numbers &r)
        : n(n), width(width), descriptions(descriptions), blocks(blocks), out(out), task(task), task_w(small(TASK, width, r)), x(normals(n * LATENT, r)),
          embeddings(normals(descriptions * width, r)), task_bias(normals(TASK, r)), task_norm(normals(TASK, r)), task_shift(normals(TASK, r)) {
        for (int i = 0; i < n; i++) {
            description.push_back(i / 5 % descriptions);
        }
        for (int b = 0; b < blocks; b++) {
            int outs = b + 1 == blocks ? out : LATENT;
            up.push_back(small(INNER, LATENT, r));
            down.push_back(small(outs, INNER, r));
            norm.push_back(normals(LATENT, r));
            shift.push_back(normals(LATENT, r));
            up_bias.push_back(normals(INNER, r));
            down_bias.push_back(normals(outs, r));
            dup.emplace_back(up[b].bytes);
            ddown.emplace_back(down[b].bytes);
            dnorm.emplace_back(norm[b]);
            dshift.emplace_back(shift[b]);
            dup_bias.emplace_back(up_bias[b]);
            ddown_bias.emplace_back(down_bias[b]);
            net.block[b] = {b == 0 ? nullptr : dnorm[b].data, dshift[b].data, dup[b].data, ddown[b].data, dup_bias[b].data, ddown_bias[b].data,
                            T2L_F32, T2L_F32, T2L_F32, T2L_F32, outs, b > 0 && outs == LATENT};
        }
        dtask = device<uint8_t>(task_w.bytes);
        dx = device<float>(x);
        dembeddings = device<float>(embeddings);
        dtask_bias = device<float>(task_bias);
        dtask_norm = device<float>(task_norm);
        dtask_shift = device<float>(task_shift);
        ddescription = device<int>(description);
        y = device<float>((size_t)n * out);
        net.embeddings = task ? dembeddings.data : nullptr;
        net.description = ddescription.data;
        net.task = dtask.data;
        net.task_bias = dtask_bias.data, net.task_norm_weight = dtask_norm.data, net.task_norm_bias = dtask_shift.data;
        net.eps = 1e-5f;
    }

    int shared() const {
        return AT_LAST + BODY_ROWS * (std::max((int)LATENT, out) + 4) * 4 + blocks * UP_BYTES + ((blocks - 1) * LATENT + out) * DOWN_PITCH;
    }
    void run(bool early, float *to = nullptr, int64_t from = 0, int64_t rows = 0) {
        rows = rows == 0 ? n : rows;
        body_network of = net;
        of.description += from;
        launch_clusters(hyper_body, dim3((unsigned)(BODY_CLUSTER * ((rows + BODY_ROWS - 1) / BODY_ROWS))), 256, shared(), BODY_CLUSTER, early, to == nullptr ? y.data : to,
                        dx.data + from * LATENT, rows, width, blocks, of);
    }
    std::vector<double> expected() const {
        std::vector<float> v = x;
        if (task) {
            std::vector<double> t = layer_norms(floats(product(embeddings, descriptions, task_w, &task_bias)), descriptions, TASK, task_norm, task_shift, 1e-5);
            for (int i = 0; i < n; i++) {
                for (int c = 0; c < TASK; c++) {
                    v[i * LATENT + c] = (float)t[description[i] * TASK + c];
                }
            }
        }
        std::vector<double> y;
        for (int b = 0; b < blocks; b++) {
            auto silu = [](std::vector<double> v) {
                for (double &d : v) {
                    d /= 1 + exp(-d);
                }
                return v;
            };
            std::vector<float> in = b == 0 ? v : floats(layer_norms(v, n, LATENT, norm[b], shift[b], 1e-5));
            y = silu(product(floats(silu(product(in, n, up[b], &up_bias[b]))), n, down[b], &down_bias[b]));
            if (net.block[b].residual) {
                for (size_t i = 0; i < y.size(); i++) {
                    y[i] += v[i];
                }
            }
            v = floats(y);
        }
        return y;
    }
};

static void check_body(int n, int width, int descriptions, int blocks, int out, bool task, random_numbers &r) {
    body_case c(n, width, descriptions, blocks, out, task, r);
    c.run(false);
    char what[100];
    snprintf(what, sizeof what, "body, n %d, width %d, blocks %d, out %d, task %d", n, width, blocks, out, task);
    std::vector<float> all = c.y.host();
    expect(what, all, c.expected(), 3e-5);
    device<float> one(out);
    c.run(false, one.data, n - 1, 1);
    failures += memcmp(one.host().data(), &all[(n - 1) * (size_t)out], out * 4) != 0 && printf("FAIL %s: the last row alone has other bits\n", what);
}

#ifndef T2L_EMULATE
#include "texttoloratimes.h"
#endif

int main(int count, char **arguments) {
    random_numbers r = {11};
    check_attention(2, 64, {5, 70}, true, r);
    check_attention(3, 32, {17}, true, r);
    check_attention(1, 48, {33, 3, 40}, false, r);
    check_encoder(5, 64, 64, 1, true, r);
    check_encoder(3, 128, 192, 2, true, r);
    check_body(9, 64, 2, 2, 128, true, r);
#ifdef T2L_EMULATE
    check_encoder(2, 256, 64, 4, false, r);
#else
    check_attention(16, 64, {48}, true, r);
    check_attention(2, 64, {300}, true, r);
    check_encoder(48, 1024, 1024, 4, true, r);
    check_encoder(130, 512, 320, 8, true, r);
    check_encoder(17, 256, 64, 4, false, r);
    check_body(64, 1024, 1, 4, 512, true, r);
    check_body(21, 384, 4, 4, 512, true, r);
    check_body(3, 8, 1, 1, 192, false, r);
    check_body(40, 8, 1, 3, 512, false, r);
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("texttolora");
}
