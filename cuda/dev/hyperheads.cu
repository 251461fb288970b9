/* Checks and times hyperheads.cu; see run.sh. */
#include "../hyperheads.cu"
#include "weights.h"

/* Modules of a hypernetwork whose heads hold [r in | r out] columns (A and B whole), or max(in, out) a rank for A and B in turn. */
struct module {
    int in, out;
};

struct heads {
    int type, descriptions, layers, rank, width;
    bool shared; /* A and B share columns, and have rows of their own */
    std::vector<module> modules;
    std::vector<weights> w;
    std::vector<std::vector<float>> z, bias, scale, shift;
    std::vector<device<uint8_t>> dw;
    std::vector<device<float>> dz, dbias, dscale, dshift, out;
    head_cuts table = {};
    int cuts = 0, tiles = 0;

    heads(int type, int descriptions, int layers, int rank, int width, bool shared, bool affine, std::vector<module> modules, random_numbers &r, bool values = true)
        : type(type), descriptions(descriptions), layers(layers), rank(rank), width(width), shared(shared), modules(modules) {
        int first_out = 0;
        for (size_t m = 0; m < modules.size(); m++) {
            module mod = modules[m];
            int64_t columns = rank * (shared ? std::max(mod.in, mod.out) : mod.in + mod.out);
            int64_t rows = (int64_t)descriptions * layers;
            w.emplace_back(type, columns, width, r, values);
            z.push_back(normals(rows * (shared ? 2 : 1) * width, r));
            bias.push_back(normals(columns, r));
            dw.emplace_back(w.back().bytes);
            dz.emplace_back(z.back());
            dbias.emplace_back(bias.back());
            for (int b = 0; b < 2; b++) {
                int features = b ? mod.out : mod.in;
                int64_t size = (int64_t)layers * rank * features;
                scale.push_back(affine ? normals(size, r) : std::vector<float>());
                shift.push_back(affine ? normals(size, r) : std::vector<float>());
                dscale.emplace_back(scale.back());
                dshift.emplace_back(shift.back());
                int64_t column = b && !shared ? (int64_t)rank * mod.in : 0;
                head_cut &cut = table.cut[cuts++];
                cut = {dz[m].data + (b && shared ? rows * width : 0), dw[m].data + column * w[m].row_bytes, (const uint8_t *)(dbias[m].data + column),
                       affine ? dscale.back().data : nullptr, affine ? dshift.back().data : nullptr, shared ? std::max(mod.in, mod.out) : features,
                       rank, b, features, layers, (int)rows, first_out, tiles, T2L_F32};
                tiles += (rank * features + 127) / 128;
                for (int d = 0; d < descriptions; d++) {
                    out.emplace_back(size);
                    table.out[first_out++] = out.back().data;
                }
            }
        }
    }

    void run(bool large) {
        int rows = large ? 128 : 32;
        dim3 grid(tiles, (descriptions * layers + rows - 1) / rows);
        int64_t row_bytes = w[0].row_bytes;
        if (type == T2L_BF16) {
            launch(large ? hyper_heads_bf16_128 : hyper_heads_bf16_32, grid, large ? 256 : 128,
                   large ? (int)::tiles<T2L_BF16, 128, 128>::SHARED : (int)::tiles<T2L_BF16, 32, 128>::SHARED, (int64_t)width, row_bytes, cuts, table);
        } else {
            launch(large ? hyper_heads_f16_128 : hyper_heads_f16_32, grid, large ? 256 : 128,
                   large ? (int)::tiles<T2L_F16, 128, 128>::SHARED : (int)::tiles<T2L_F16, 32, 128>::SHARED, (int64_t)width, row_bytes, cuts, table);
        }
    }

    std::vector<double> expected(int m, int b, int d) const {
        int features = b ? modules[m].out : modules[m].in;
        int rows = descriptions * layers;
        std::vector<double> v;
        for (int l = 0; l < layers; l++) {
            const float *x = &z[m][(size_t)((b && shared ? rows : 0) + d * layers + l) * width];
            for (int e = 0; e < rank * features; e++) {
                int k = b ? e % rank : e / features;
                int i = b ? e / rank : e % features;
                int64_t column = (b && !shared ? (int64_t)rank * modules[m].in : 0) + (int64_t)k * (shared ? std::max(modules[m].in, modules[m].out) : features) + i;
                double sum = bias[m][column];
                for (int j = 0; j < width; j++) {
                    sum += (double)x[j] * w[m].values[column * width + j];
                }
                size_t at = (size_t)l * rank * features + e;
                v.push_back(scale[2 * m + b].empty() ? sum : sum * scale[2 * m + b][at] + shift[2 * m + b][at]);
            }
        }
        return v;
    }
};

static void check(int type, int descriptions, int layers, int rank, int width, bool shared, bool affine, std::vector<module> modules, random_numbers &r) {
    heads h(type, descriptions, layers, rank, width, shared, affine, modules, r);
    std::vector<std::vector<float>> first;
    for (bool large : {false, true}) {
        for (auto &o : h.out) {
            CHECK(cudaMemset(o.data, 0xff, o.count * 4));
        }
        h.run(large);
        for (size_t o = 0; o < h.out.size(); o++) {
            char what[120];
            int m = (int)o / (2 * descriptions), b = (int)o / descriptions % 2, d = (int)o % descriptions;
            snprintf(what, sizeof what, "heads %s %s, %s of module %d, description %d, rank %d%s", TYPE_NAMES[type], large ? "128" : "32", b ? "B" : "A", m, d, rank,
                     shared ? ", shared" : "");
            std::vector<float> all = h.out[o].host();
            expect(what, all, h.expected(m, b, d), 2e-5);
            if (large) {
                failures += memcmp(all.data(), first[o].data(), all.size() * 4) != 0 && printf("FAIL %s: other bits than by the other tile\n", what);
            } else {
                first.push_back(all);
            }
        }
    }
}

#ifndef T2L_EMULATE
static void times(double copy) {
    random_numbers r = {5};
    printf("\nhyperheads.cu: T2L-L for Mistral-7B (32 layers, rank 8, q and v, width 512)\n%-5s %12s %5s %9s %7s %9s\n", "type", "descriptions", "tile", "us", "TB/s", "TFLOP/s");
    for (int descriptions : {1, 4, 32}) {
        /* two sets, so that what the second cache kept is of the other one */
        heads a(T2L_BF16, descriptions, 32, 8, 512, false, false, {{4096, 4096}, {4096, 1024}}, r, false);
        heads b(T2L_BF16, descriptions, 32, 8, 512, false, false, {{4096, 4096}, {4096, 1024}}, r, false);
        double bytes = 0, flops = 0;
        for (weights &w : a.w) {
            bytes += w.bytes.size() + 32.0 * descriptions * w.out * 4;
            flops += 2.0 * 32 * descriptions * w.out * w.in;
        }
        for (bool large : {false, true}) {
            double us = time_us([&](int i) { (i % 2 ? a : b).run(large); }, descriptions > 8 ? 4 : 10);
            printf("%-5s %12d %5d %9.1f %7.2f %9.1f\n", "bf16", descriptions, large ? 128 : 32, us, bytes / us * 1e-6, flops / us * 1e-6);
        }
    }
    printf("(bytes: weights and factors; copy %.2f TB/s)\n", copy * 1e-6);
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {17};
    for (int type : {T2L_BF16, T2L_F16}) {
        check(type, 1, 3, 4, 64, false, true, {{40, 24}, {40, 9}}, r);
        check(type, 3, 2, 3, 40, false, false, {{33, 50}}, r);
        check(type, 2, 20, 2, 72, true, true, {{20, 30}, {30, 7}}, r);
        check(type, 5, 32, 1, 32, false, false, {{70, 70}}, r);
    }
#ifndef T2L_EMULATE
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times(copy_bandwidth());
    }
#endif
    (void)count, (void)arguments;
    return finish("hyperheads");
}
