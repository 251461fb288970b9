/* Checks and times encoderattention.cu; see run.sh. */
#include "check.h"
#include "../encoderattention.cu"

/* Rows of sequences one behind the other, of which each sees all of its own; the last `padding` of each see the first alone. */
struct attention_case {
    int heads, d, padding;
    bool turned;
    std::vector<int> ranges, positions;
    std::vector<float> q, k, v, angles;
    device<float> dq, dk, dv, dangles, out;
    device<int> dranges, fault;

    attention_case(int heads, int d, const std::vector<int> &lengths, int padding, bool turned, random_numbers &r) : heads(heads), d(d), padding(padding), turned(turned) {
        for (int l : lengths) {
            const int base = (int)positions.size();
            for (int i = 0; i < l; i++) {
                ranges.insert(ranges.end(), {base, i < l - padding ? base + l - padding : base + 1});
                positions.push_back(i);
            }
        }
        q = normals(n() * cols(), r), k = normals(n() * cols(), r), v = normals(n() * cols(), r);
        angles.resize(n() * d);
        for (int64_t i = 0; i < n(); i++) {
            for (int j = 0; j < d / 2; j++) {
                angles[i * d + j] = (float)cos(positions[i] * pow(1e4, -2.0 * j / d));
                angles[i * d + d / 2 + j] = (float)sin(positions[i] * pow(1e4, -2.0 * j / d));
            }
        }
        dq = device<float>(q), dk = device<float>(k), dv = device<float>(v), dangles = device<float>(angles), out = device<float>(q.size());
        dranges = device<int>(ranges), fault = device<int>(std::vector<int>{0});
    }
    int64_t n() const {
        return positions.size();
    }
    int64_t cols() const {
        return (int64_t)heads * d;
    }
    void run(bool early = false) {
        auto *kernel = d == 16 ? encoder_attention_16 : d == 32 ? encoder_attention_32 : d == 48 ? encoder_attention_48 : encoder_attention_64;
        launch_clusters(kernel, dim3(heads, (unsigned)((n() + ROWS - 1) / ROWS)), WARPS * WARP, 0, 1, early, out.data, dq.data, n(), dk.data, dv.data, dranges.data, heads,
                        (float)(1 / sqrt((double)d)), fault.data, turned ? dangles.data : nullptr);
    }
    std::vector<double> rotated(const std::vector<float> &x) const {
        std::vector<double> y(x.begin(), x.end());
        for (int64_t i = 0; turned && i < n(); i++) {
            for (int at = 0; at < cols(); at += d) {
                for (int j = 0; j < d / 2; j++) {
                    const double a = x[i * cols() + at + j], b = x[i * cols() + at + j + d / 2], c = angles[i * d + j], s = angles[i * d + d / 2 + j];
                    y[i * cols() + at + j] = a * c - b * s;
                    y[i * cols() + at + j + d / 2] = b * c + a * s;
                }
            }
        }
        return y;
    }
    std::vector<double> expected() const {
        const std::vector<double> tq = rotated(q), tk = rotated(k);
        std::vector<double> y(q.size());
        for (int64_t i = 0; i < n(); i++) {
            for (int at = 0; at < cols(); at += d) {
                std::vector<double> w;
                double largest = -1e300, total = 0;
                for (int j = ranges[2 * i]; j < ranges[2 * i + 1]; j++) {
                    double dot = 0;
                    for (int x = 0; x < d; x++) {
                        dot += tq[i * cols() + at + x] * tk[j * cols() + at + x];
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
                        y[i * cols() + at + x] += w[j] / total * v[(ranges[2 * i] + j) * cols() + at + x];
                    }
                }
            }
        }
        return y;
    }
};

static void check(int heads, int d, std::vector<int> lengths, int padding, bool turned, random_numbers &r) {
    attention_case c(heads, d, lengths, padding, turned, r);
    c.run();
    char what[100];
    snprintf(what, sizeof what, "attention, heads %d of %d, n %d, padding %d%s", heads, d, (int)c.n(), padding, turned ? ", turned" : "");
    const std::vector<float> all = c.out.host();
    expect(what, all, c.expected(), 2e-5);

    /* The last sequence alone. */
    const int length = lengths.back();
    const int64_t first = c.n() - length;
    attention_case alone(heads, d, {length}, padding, turned, r);
    auto rows = [&](const std::vector<float> &x, int64_t cols) { return std::vector<float>(x.begin() + first * cols, x.end()); };
    alone.dq = device<float>(rows(c.q, c.cols())), alone.dk = device<float>(rows(c.k, c.cols())), alone.dv = device<float>(rows(c.v, c.cols()));
    alone.run();
    failures += memcmp(alone.out.host().data(), &all[first * c.cols()], length * c.cols() * 4) != 0 && printf("FAIL %s: the last sequence alone has other bits\n", what);
}

int main(int count, char **arguments) {
    random_numbers r = {11};
    check(2, 64, {5, 70}, 0, true, r);
    check(3, 32, {17}, 0, true, r);
    check(1, 48, {33, 3, 40}, 1, false, r);
    check(2, 16, {1, 130, 8}, 0, true, r);
    check(1, 64, {48}, 7, true, r);
#ifndef T2L_EMULATE
    check(16, 64, {48, 11}, 0, true, r);
    check(2, 64, {300, 64}, 20, true, r);
    check(12, 32, {16, 16, 16, 100}, 0, false, r);
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        for (int n : {16, 32, 48, 64, 96, 128, 256, 512}) {
            attention_case c(16, 64, {n}, 0, true, r);
            printf("%8.2f us %4d rows, %8.2f early\n", time_us([&](int) { c.run(); }), n, time_us([&](int) { c.run(true); }));
        }
        attention_case many(16, 64, std::vector<int>(32, 48), 0, true, r);
        printf("%8.2f us 32 times 48 rows, %8.2f early\n", time_us([&](int) { many.run(); }), time_us([&](int) { many.run(true); }));
    }
#endif
    (void)count, (void)arguments;
    return finish("encoderattention");
}
