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

    /* By hyper_panels of so many rows; `stages` 0: as many as fit. */
    template <int N, int UNITS, int LOADERS> void run_panels(void (*kernel)(int64_t, int, int, int, head_cuts), int blocks, int stages, bool early) {
        typedef panel<N, UNITS, LOADERS> P;
        head_cuts by_units = table;
        int units = 0;
        for (int c = 0; c < cuts; c++) {
            by_units.cut[c].first_tile = units;
            units += (by_units.cut[c].rank * by_units.cut[c].features + UNIT - 1) / UNIT;
        }
        const int buffer = UNITS * 32 * (UNIT + 4) * 4;
        stages = stages > 0 ? stages : (227 * 1024 - BARRIERS - buffer) / P::STAGE;
        launch_clusters(kernel, std::min(blocks, units), P::THREADS, BARRIERS + stages * P::STAGE + buffer, 1, early, (int64_t)width, stages, units, cuts, by_units);
    }

    /* Tiles of 32 or 128 rows, or panels of 32, 64, 128. */
    enum kind { TILES_32, TILES_128, PANELS_32, PANELS_64, PANELS_128, KINDS };

    void run(int kind, int blocks = 132, int stages = 0, bool early = false) {
        switch (kind) {
        case PANELS_32:
            return run_panels<32, 4, 1>(hyper_panels_32, blocks, stages, early);
        case PANELS_64:
            return run_panels<64, 4, 1>(hyper_panels_64, blocks, stages, early);
        case PANELS_128:
            return run_panels<128, 2, 2>(hyper_panels_128, blocks, stages, early);
        default:
            return run_tiles(kind == TILES_128);
        }
    }

    void run_tiles(bool large) {
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

static const char *const KIND_NAMES[] = {"tiles 32", "tiles 128", "panels 32", "panels 64", "panels 128"};

static void check(int type, int descriptions, int layers, int rank, int width, bool shared, bool affine, std::vector<module> modules, random_numbers &r) {
    heads h(type, descriptions, layers, rank, width, shared, affine, modules, r);
    std::vector<std::vector<float>> first;
    for (int kind = 0; kind < heads::KINDS; kind++) {
        const bool panels = kind >= heads::PANELS_32;
        if (panels && (type != T2L_BF16 || width % 64 != 0)) {
            continue;
        }
        for (auto &o : h.out) {
            CHECK(cudaMemset(o.data, 0xff, o.count * 4));
        }
        h.run(kind, 3, panels ? 2 + kind % 2 : 0);
        for (size_t o = 0; o < h.out.size(); o++) {
            char what[120];
            int m = (int)o / (2 * descriptions), b = (int)o / descriptions % 2, d = (int)o % descriptions;
            snprintf(what, sizeof what, "heads %s %s, %s of module %d, description %d, rank %d%s", TYPE_NAMES[type], KIND_NAMES[kind], b ? "B" : "A", m, d, rank,
                     shared ? ", shared" : "");
            std::vector<float> all = h.out[o].host();
            expect(what, all, h.expected(m, b, d), 2e-5);
            if (kind == 0 || kind == heads::PANELS_32) { /* mma and wgmma need not round alike */
                first.resize(std::max(first.size(), o + 1));
                first[o] = all;
            } else {
                failures += memcmp(all.data(), first[o].data(), all.size() * 4) != 0 && printf("FAIL %s: other bits than by the other kernel\n", what);
            }
        }
    }
}

#ifndef T2L_EMULATE
static void times(double copy) {
    random_numbers r = {5};
    printf("\nhyperheads.cu: T2L-L for Mistral-7B (32 layers, rank 8, q and v, width 512)\n%-12s %12s %6s %9s %7s %9s\n", "kernel", "descriptions", "stages",
           "us", "TB/s", "TFLOP/s");
    for (int descriptions : {1, 2, 4, 32}) {
        /* two sets, so that what the second cache kept is of the other one */
        heads a(T2L_BF16, descriptions, 32, 8, 512, false, false, {{4096, 4096}, {4096, 1024}}, r, false);
        heads b(T2L_BF16, descriptions, 32, 8, 512, false, false, {{4096, 4096}, {4096, 1024}}, r, false);
        double bytes = 0, flops = 0;
        for (weights &w : a.w) {
            bytes += w.bytes.size() + 32.0 * descriptions * w.out * 4;
            flops += 2.0 * 32 * descriptions * w.out * w.in;
        }
        for (int kind = 0; kind < heads::KINDS; kind++) {
            for (int stages : {0, 2, 3}) {
                for (bool early : {false, true}) {
                    if (kind < heads::PANELS_32 ? stages != 0 || early : descriptions > 4 && stages == 2) {
                        continue;
                    }
                    double us = time_us([&](int i) { (i % 2 ? a : b).run(kind, 132, stages, early); }, descriptions > 8 ? 4 : 10);
                    printf("%-12s %12d %6d %9.1f %7.2f %9.1f%s\n", KIND_NAMES[kind], descriptions, stages, us, bytes / us * 1e-6, flops / us * 1e-6,
                           early ? " (begins early)" : "");
                }
            }
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
        check(type, 3, 33, 8, 128, false, true, {{37, 20}, {37, 9}}, r);
        check(type, 1, 30, 8, 192, false, false, {{64, 40}}, r);
    }
#ifndef T2L_EMULATE
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times(copy_bandwidth());
    }
#endif
    (void)count, (void)arguments;
    return finish("hyperheads");
}
