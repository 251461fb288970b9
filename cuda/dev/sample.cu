/* Checks and times of ../sample.cu: tokens against sorted lists in double, and what a row costs. */
#include "check.h"

#include "../sample.cu"

struct choice {
    float temperature, topK, topP, minP, u;
};

/* Every token that u within 1e-6 of what was asked, and topP and minP likewise, would choose. */
static std::vector<int> allowed(const float *logits, int n, choice c) {
    std::vector<int> order(n), tokens;
    for (int i = 0; i < n; i++) {
        order[i] = i;
    }
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return logits[a] > logits[b]; });
    if (!(c.temperature > 0)) {
        return {order[0]};
    }
    auto p = [&](int id) { return exp(((double)logits[id] - logits[order[0]]) / c.temperature); };
    int most = c.topK > 0 ? (int)std::min<float>(c.topK, n) : n;
    double whole = 0;
    for (int i = 0; i < most; i++) {
        whole += p(order[i]);
    }
    for (int dp = -1; dp <= 1; dp++) {
        for (int dm = -1; dm <= 1; dm++) {
            int count = most;
            if (c.topP < 1) {
                double reached = p(order[0]);
                for (count = 1; count < most && reached < (c.topP + dp * 1e-6) * whole; count++) {
                    reached += p(order[count]);
                }
            }
            std::vector<int> kept(order.begin(), order.begin() + count);
            kept.erase(std::remove_if(kept.begin(), kept.end(), [&](int id) { return p(id) == 0 || p(id) < c.minP * (1 + dm * 1e-6); }), kept.end());
            std::sort(kept.begin(), kept.end());
            double total = 0, running = 0;
            for (int id : kept) {
                total += p(id);
            }
            for (int id : kept) {
                double before = running;
                running += p(id);
                if (running > (c.u - 1e-6) * total && before <= (c.u + 1e-6) * total) {
                    tokens.push_back(id);
                }
            }
        }
    }
    return tokens;
}

static void run(device<int> &tokens, const device<float> &logits, int n, const device<float> &choices) {
    launch(sample, dim3(BLOCKS, (unsigned)tokens.count), THREADS, 0, tokens.data, logits.data, (int64_t)n, choices.data);
}

static std::vector<float> flat(const std::vector<choice> &choices) {
    std::vector<float> values;
    for (choice c : choices) {
        values.insert(values.end(), {c.temperature, c.topK, c.topP, c.minP, c.u});
    }
    return values;
}

static void check(int n, int kind, int rows, random_numbers &r) {
    static const float K[] = {0, 0, 1, 2, 7, 50, 1000, 1e6f}, P[] = {1, 1, 1e-6f, 0.3f, 0.9f, 0.999f}, M[] = {0, 0, 0.02f, 0.3f, 0.99f}, T[] = {0, 0.1f, 0.3f, 0.7f, 1, 1.5f};
    static const float SPREAD[] = {3, 0.2f, 20};
    std::vector<float> logits;
    std::vector<choice> choices;
    for (int row = 0; row < rows; row++) {
        for (int i = 0; i < n; i++) {
            float v = kind < 3 ? SPREAD[kind] * r.normal() : kind == 3 ? r.below(3) : kind == 4 ? 0 : r.below(4) ? -1e9f : r.normal();
            logits.push_back(kind == 3 && i > 0 && r.below(40) == 0 ? -INFINITY : v);
        }
        choices.push_back({T[r.below(6)], K[r.below(8)], P[r.below(6)], M[r.below(5)], r.below(20) ? r.below(1 << 24) * 0x1p-24f : 0});
    }
    device<int> tokens(rows);
    run(tokens, device<float>(logits), n, device<float>(flat(choices)));
    std::vector<int> got = tokens.host();
    for (int row = 0; row < rows; row++) {
        std::vector<int> wanted = allowed(&logits[(size_t)row * n], n, choices[row]);
        choice c = choices[row];
        char what[200];
        snprintf(what, sizeof what, "sample: %d logits of kind %d, T %g K %g P %g M %g u %.8f: token %d, wanted %d of %zu", n, kind, c.temperature, c.topK, c.topP, c.minP, c.u, got[row],
                 wanted.empty() ? -9 : wanted[0], wanted.size());
        expect_true(what, std::find(wanted.begin(), wanted.end(), got[row]) != wanted.end());
    }
}

static void broken(int n) {
    std::vector<float> logits(6 * (size_t)n);
    std::vector<int> wanted = {-1, -1, -1, 1, n - 1, n - 1};
    logits[n - 1] = NAN;
    logits[n + 1] = INFINITY;
    std::fill_n(&logits[2 * n], n, -INFINITY);
    std::fill_n(&logits[3 * n], n, -INFINITY);
    logits[3 * n + 1] = -3e38f;
    logits[5 * n - 1] = 3e38f;
    std::fill_n(&logits[5 * n], n, -3e38f);
    logits[6 * n - 1] = 3e38f;
    for (choice c : {choice{0, 0, 1, 0, 0}, choice{1, 0, 1, 0, 0}, choice{0.5f, 1, 0.5f, 0, 0.9f}}) {
        device<int> tokens(6);
        run(tokens, device<float>(logits), n, device<float>(flat(std::vector<choice>(6, c))));
        expect_true("sample: broken rows", tokens.host() == wanted);
    }
}

#ifndef T2L_EMULATE
static void times() {
    random_numbers r = {5};
    printf("\nsample.cu\n%8s %5s %10s %10s %10s %10s %10s\n", "logits", "rows", "greedy us", "all us", "topK us", "topP us", "K P M us");
    for (int n : {32768, 49152, 128256, 256000}) {
        for (int rows : {1, 8, 64}) {
            std::vector<float> values((size_t)n * rows);
            for (float &v : values) {
                v = 3 * r.normal();
            }
            device<float> logits(values);
            device<int> tokens(rows);
            printf("%8d %5d", n, rows);
            for (choice c : {choice{0, 0, 1, 0, 0}, choice{1, 0, 1, 0, 0.4f}, choice{1, 50, 1, 0, 0.4f}, choice{1, 0, 0.9f, 0, 0.4f}, choice{0.7f, 50, 0.9f, 0.05f, 0.4f}}) {
                device<float> choices(flat(std::vector<choice>(rows, c)));
                printf(" %10.2f", time_us([&](int) { run(tokens, logits, n, choices); }));
            }
            printf("\n");
        }
    }
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {11};
#ifdef T2L_EMULATE
    const std::vector<int> sizes = {1, 2, 33, 1000, 5000};
    int rows = 12;
#else
    const std::vector<int> sizes = {1, 2, 33, 1000, 5000, 32000, 128256, 262144};
    int rows = 64;
#endif
    for (int n : sizes) {
        for (int kind = 0; kind < 6; kind++) {
            check(n, kind, rows, r);
        }
    }
    broken(3);
    broken(5000);
#ifndef T2L_EMULATE
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("sample");
}
