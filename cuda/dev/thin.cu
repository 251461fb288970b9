/* Checks thin.cu: every format, number of rows, shape of a launch, and all that goes before and after a product; see run.sh. */
#include "thin.h"

static double activated(int f, double x) {
    switch (f) {
    case T2L_SILU:
        return x / (1 + exp(-x));
    case T2L_GELU:
        return 0.5 * x * erfc(-x * sqrt(0.5));
    case T2L_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    default:
        return std::max(x, 0.0);
    }
}

/* Adapters of n rows at one product: lists of two, mixed ranks, an empty list, a weight of 0; low as the device would have made it. */
struct adapters {
    enum { PER_ROW = 2, STRIDE = 16 };
    std::vector<float> low, b[2], factor_weights;
    std::vector<int32_t> slots;
    device<float> device_low, device_b[2], device_weights;
    device<int32_t> device_slots;
    device<lora_factor> table;
    lora_rows rows;

    adapters(int n, int out, int head_dim, random_numbers &r) {
        const int ranks[2] = {8, 13};
        low = normals(n * PER_ROW * STRIDE, r);
        for (int f = 0; f < 2; f++) {
            b[f] = normals(out * ranks[f], r);
            device_b[f] = device<float>(b[f]);
        }
        for (int i = 0; i < n * PER_ROW; i++) {
            slots.push_back(i == 4 ? -1 : r.below(2));
            factor_weights.push_back(i == 3 ? 0 : 0.5f * (1 + r.below(3)));
        }
        device_low = device<float>(low);
        device_weights = device<float>(factor_weights);
        device_slots = device<int32_t>(slots);
        table = device<lora_factor>(std::vector<lora_factor>{{nullptr, device_b[0].data, ranks[0], 2}, {nullptr, device_b[1].data, ranks[1], 0.25f}});
        rows = {table.data, 2, device_slots.data, device_weights.data, PER_ROW, head_dim, device_low.data, STRIDE};
    }

    double at(int i, int o) const {
        double all = 0;
        const int head = (int)rows.head_dim;
        const int row = head == 0 ? o : o / head * head + o % 2 * (head / 2) + o % head / 2;
        for (int s = i * PER_ROW; s < (i + 1) * PER_ROW && slots[s] >= 0; s++) {
            const int rank = slots[s] == 0 ? 8 : 13;
            double sum = 0;
            for (int e = 0; e < rank; e++) {
                sum += (double)low[s * STRIDE + e] * b[slots[s]][row * rank + e];
            }
            all += factor_weights[s] * (slots[s] == 0 ? 2 : 0.25) * sum;
        }
        return all;
    }
};

enum what { PLAIN_PRODUCTS, NORMED, PAIRED, GATED, ADDED, ACTIVATED, KINDS };
static const char *const NAMES[] = {"products", "normed", "paired", "gated", "added", "activated"};

struct task {
    int what, out, in, n, skew, blocks;
    uint32_t limit;
    int norm_type;
    bool lora;
};

static bool check(const thin_variant &k, const task &c, random_numbers &r) {
    const bool with_norm = c.what == NORMED || c.what == PAIRED;
    const int count = c.what == PAIRED ? 2 : c.what <= NORMED ? 3 : 1;
    const int f = c.what == PAIRED || c.what == GATED || c.what == ACTIVATED ? r.below(4) : -1;
    const int n = c.n;
    std::vector<float> x = normals((size_t)n * c.in, r);
    for (int i = 0; i < n; i++) {
        for (int e = 0; e < c.in; e++) {
            x[(size_t)i * c.in + e] *= i == 1 ? 1e-8f : i == 2 ? 3e6f : 1; /* rows of other sizes have the same accuracy */
        }
    }
    weights norm(c.norm_type, 1, c.in, r);
    device<uint8_t> device_norm(norm.bytes);
    const float eps = 1e-6f, offset = 0.5f;
    const std::vector<double> in_x = with_norm ? normed(x, n, norm, eps, offset) : std::vector<double>(x.begin(), x.end());
    std::vector<weights> w;
    std::vector<device<uint8_t>> device_w;
    std::vector<std::vector<float>> bias;
    std::vector<device<float>> device_bias, y, one;
    std::vector<adapters> lora;
    std::vector<std::vector<double>> expected;
    lora.reserve(count);
    thin_launch a = {};
    for (int p = 0; p < count; p++) {
        const int out = c.what == PAIRED || p == 0 ? c.out : p == 1 ? c.out / 2 + 1 : 24;
        w.emplace_back(k.type, out, c.in, r);
        device_w.emplace_back(w[p].bytes, c.skew);
        bias.push_back(normals(out, r));
        device_bias.emplace_back(bias[p]);
        y.emplace_back((size_t)n * out);
        one.emplace_back((size_t)out);
        lora.emplace_back(n, out, p == 2 ? 8 : 0, r);
        std::vector<double> e((size_t)n * out);
        for (int i = 0; i < n; i++) {
            for (int o = 0; o < out; o++) {
                double sum = p == 1 ? 0 : bias[p][o];
                for (int q = 0; q < c.in; q++) {
                    sum += in_x[(size_t)i * c.in + q] * w[p].values[(size_t)o * c.in + q];
                }
                e[(size_t)i * out + o] = sum + (c.lora && p != 1 ? lora[p].at(i, o) : 0);
            }
        }
        expected.push_back(e);
        a.products[p] = {device_w[p].data, y[p].data, p == 1 ? nullptr : device_bias[p].data, T2L_F32, out, 0, c.lora && p != 1 ? lora[p].rows : lora_rows()};
    }
    std::vector<float> beside = normals((size_t)n * c.out, r);
    device<float> dx(x), device_beside(beside);
    const bool in_place = n % 2 == 1 && (c.what == GATED || c.what == ADDED); /* y is what is beside */
    if (in_place) {
        y[0] = device<float>(beside);
        a.products[0].y = y[0].data;
    }
    const float *at = in_place ? y[0].data : device_beside.data;
    a.x = dx.data;
    a.rows = n;
    a.in = c.in;
    a.row_bytes = w[0].row_bytes;
    a.norm = with_norm ? device_norm.data : nullptr;
    a.norm_type = c.norm_type;
    a.norm_numbers = norm_numbers(eps, offset);
    a.paired = c.what == PAIRED;
    a.activation = f;
    a.count = count;
    a.gate = c.what == GATED ? at : nullptr;
    a.residual = c.what == ADDED || c.what == ACTIVATED ? at : nullptr;
    for (size_t i = 0; i < expected[0].size(); i++) {
        double &e = expected[0][i];
        e = c.what == PAIRED ? activated(f, e) * expected[1][i] : c.what == GATED ? activated(f, beside[i]) * e
            : c.what == ADDED ? e + beside[i] : c.what == ACTIVATED ? activated(f, e) + beside[i] : e;
    }
    const int rows = 4 * k.nt;
    const thin_shape s = shape_of(k, std::min(n, rows), c.in, c.limit, 2);
    char what[200];
    snprintf(what, sizeof what, "%s %s: n %d, in %d, out %d, skew %d, panel %d, %d stages, norm %s%s", k.name, NAMES[c.what], n, c.in, c.out, c.skew, s.panel,
             s.stages, TYPE_NAMES[c.norm_type], c.lora ? ", lora" : "");
    if (s.panel == 0) {
        printf("FAIL %s: no room\n", what);
        return ++failures == 0;
    }
    run_thin(k, a, s, rows, c.blocks);
    const double limit = 3e-5;
    for (int p = 0; p < (c.what == PAIRED ? 1 : count); p++) {
        const std::vector<float> all = y[p].host();
        const int out = (int)a.products[p].out;
        for (int i = 0; i < n; i++) {
            const std::vector<float> row(all.begin() + (size_t)i * out, all.begin() + (size_t)(i + 1) * out);
            expect(what, row, std::vector<double>(expected[p].begin() + (size_t)i * out, expected[p].begin() + (size_t)(i + 1) * out), limit);
        }
    }
    /* Each row alone, through another panel and ring, by the kernel for few. */
    const thin_variant *other = &k;
    for (const thin_variant &v : ALL) {
        if (v.type == k.type && v.nt == 1 && v.warps == k.warps) {
            other = &v;
        }
    }
    for (int i = 0; i < n; i++) {
        thin_launch b = a;
        b.x += (size_t)i * c.in;
        b.rows = 1;
        for (int p = 0; p < count; p++) {
            b.products[p].y = one[p].data;
            if (b.products[p].lora.table != nullptr) {
                b.products[p].lora.slots += i * adapters::PER_ROW;
                b.products[p].lora.weights += i * adapters::PER_ROW;
                b.products[p].lora.low += i * adapters::PER_ROW * adapters::STRIDE;
            }
        }
        b.gate = a.gate == nullptr ? nullptr : device_beside.data + (size_t)i * c.out;
        b.residual = a.residual == nullptr ? nullptr : device_beside.data + (size_t)i * c.out;
        run_thin(*other, b, shape_of(*other, 1, c.in, SHARED_MOST - 40000 * (i % 3), 2), 4, 1 + i % 3);
        for (int p = 0; p < (c.what == PAIRED ? 1 : count); p++) {
            const int out = (int)a.products[p].out;
            failures += memcmp(one[p].host().data(), y[p].host().data() + (size_t)i * out, out * 4) != 0 && printf("FAIL %s: row %d alone has other bits\n", what, i);
        }
    }
    return true;
}

int main(int, char **) {
    random_numbers r = {1};
    for (const thin_variant &k : ALL) {
        const int block = k.type >= T2L_Q4_K ? 256 : k.type >= T2L_Q4_0 ? 32 : 8;
        const int skew = k.type < T2L_Q4_0 ? 0 : k.type == T2L_Q4_1 || k.type == T2L_Q4_K ? 4 : 2;
        const int ins[] = {block, 3 * block, 576 / block * block, 2560, 4096 + block};
        for (int i = 0; i < 12; i++) {
            const int what = i % KINDS;
            const int n = i % 3 == 0 ? 1 : 1 + r.below(k.nt == 1 ? 5 : 9);
            const int in = std::max(block, ins[i % 5]);
            check(k, {what, 16 * k.tiles + 5 + 16 * r.below(2), in, n, i % 4 == 0 ? skew : 0, 1 + r.below(4), i % 2 == 0 || k.tiles > 1 ? (uint32_t)SHARED_MOST : 170000u,
                      r.below(3), i % 4 < 2}, r);
        }
    }
    return finish("thin");
}
