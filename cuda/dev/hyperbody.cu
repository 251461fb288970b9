/* Checks and times hyperbody.cu and hyperbodymany.cu; see run.sh. */
#include "../hyperbody.cu"
#include "../hyperbodymany.cu"
#include "norms.h"

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
    void run(bool many, float *to = nullptr, int64_t from = 0, int64_t rows = 0) {
        rows = rows == 0 ? n : rows;
        body_network of = net;
        of.description += from;
        const int each = many ? (int)MANY_ROWS : (int)BODY_ROWS;
        launch_clusters(many ? hyper_body_many : hyper_body, dim3((unsigned)(BODY_CLUSTER * ((rows + each - 1) / each))), BODY_THREADS, many ? (int)MANY_BYTES : shared(), BODY_CLUSTER, false,
                        to == nullptr ? y.data : to, dx.data + from * LATENT, rows, width, blocks, of);
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

static void check(int n, int width, int descriptions, int blocks, int out, bool task, random_numbers &r) {
    body_case c(n, width, descriptions, blocks, out, task, r);
    std::vector<float> all[2];
    for (bool many : {false, true}) {
        char what[100];
        snprintf(what, sizeof what, "body, n %d, width %d, blocks %d, out %d, task %d, many %d", n, width, blocks, out, task, many);
        c.run(many);
        all[many] = c.y.host();
        expect(what, all[many], c.expected(), 3e-5);
        device<float> one(out);
        c.run(many, one.data, n - 1, 1);
        failures += memcmp(one.host().data(), &all[many][(n - 1) * (size_t)out], out * 4) != 0 && printf("FAIL %s: the last row alone has other bits\n", what);
    }
    expect_true("few and many rows have the same bits", memcmp(all[0].data(), all[1].data(), all[0].size() * 4) == 0);
}

int main(int count, char **arguments) {
    random_numbers r = {11};
    check(9, 64, 2, 2, 128, true, r);
    check(3, 8, 1, 1, 192, false, r);
#ifndef T2L_EMULATE
    check(64, 1024, 1, 4, 512, true, r);
    check(21, 384, 4, 4, 512, true, r);
    check(150, 384, 4, 4, 512, true, r);
    check(40, 8, 1, 3, 512, false, r);
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        for (int descriptions : {1, 2, 3, 4, 8, 32}) {
            body_case c(64 * descriptions, 1024, descriptions, 4, 512, true, r);
            printf("%8.2f us for %d descriptions, %.2f by the other kernel\n", time_us([&](int) { c.run(false); }, 10), descriptions, time_us([&](int) { c.run(true); }, 10));
        }
    }
#endif
    (void)count, (void)arguments;
    return finish("hyperbody");
}
