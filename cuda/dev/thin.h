/* What the checks and the times of thin.cu share: a launch in the making, with the host's part of dev.t2l.backend.ThinShape. */
#pragma once

#include "../thin.cu"
#include "weights.h"

typedef void thin_kernel(const thin_launch);

/* A kernel and what the host must know of it. */
struct thin_variant {
    const char *name;
    int type, tiles, nt, warps;
    thin_kernel *kernel;
    int chunk;
    uint32_t (*shared)(int n, int in, int panel, int stages);
};

template <int TYPE, int TILES, int NT, int WARPS> uint32_t shared_of(int n, int in, int panel, int stages) {
    return thin_room<TYPE, TILES, NT, WARPS>(n, in, panel, stages).all;
}

#define VARIANT(kernel, TYPE, TILES, NT, WARPS) {#kernel, TYPE, TILES, NT, WARPS, kernel, format<TYPE>::CHUNK, shared_of<TYPE, TILES, NT, WARPS>}
#define VARIANTS(name, TYPE)                                                                              \
    VARIANT(thin_##name##_4, TYPE, 1, 1, THIN_WARPS), VARIANT(thin_##name##_8, TYPE, 1, 2, THIN_WARPS),   \
        VARIANT(thin_##name##_wide, TYPE, 2, 2, THIN_WARPS)

static const thin_variant ALL[] = {
    VARIANTS(f16, T2L_F16),   VARIANTS(bf16, T2L_BF16), VARIANTS(q4_0, T2L_Q4_0), VARIANTS(q4_1, T2L_Q4_1),
    VARIANTS(q8_0, T2L_Q8_0), VARIANTS(q4_k, T2L_Q4_K), VARIANTS(q6_k, T2L_Q6_K),
};

enum { SHARED_MOST = 232448, SHARED_HALF = 115712, MOST_STAGES = 8 }; /* of a block, of one of two in a multiprocessor */

struct thin_shape {
    int panel, stages;
    uint32_t shared;
};

/* The panel and the ring: all of x and at least `wanted` stages in `limit` bytes if that can be; else as much of x as can be. */
static thin_shape shape_of(const thin_variant &k, int n, int in, uint32_t limit, int wanted) {
    const int unit = k.warps * k.chunk;
    for (int panel = (in + unit - 1) / unit * unit;; panel -= unit) {
        int stages = MOST_STAGES;
        while (stages > wanted && k.shared(n, in, panel, stages) > limit) {
            stages--;
        }
        if (k.shared(n, in, panel, stages) <= limit) {
            return {panel, stages, k.shared(n, in, panel, stages)};
        }
        if (panel == unit) {
            return {0, 0, 0};
        }
    }
}

/* What the busiest of so many blocks takes, as dev.t2l.backend.ThinShape estimates it: in bytes of weights. */
static double cost_of(const thin_variant &k, const thin_shape &s, int n, const thin_launch &a, int blocks, int bytes_of_chunk) {
    int64_t tiles = 0;
    for (int p = 0; p < (a.paired ? 1 : (int)a.count); p++) {
        const int each = (a.paired ? 8 : 16) * k.tiles;
        tiles += (a.products[p].out + each - 1) / each;
    }
    tiles = (tiles + blocks - 1) / blocks;
    const double under_way = (s.stages - 1.0) * k.warps * 16 * k.tiles * bytes_of_chunk;
    return tiles * 16.0 * k.tiles * a.row_bytes * std::max(1.0, 32768 / under_way) + 3.0 * n * a.in * (s.panel >= a.in ? 1 : tiles);
}

/* The product's own choice of kernel and shape, for up to eight rows. */
static const thin_variant &choose(int type, const thin_launch &a, int blocks, thin_shape &shape) {
    static const int BYTES[] = {0, 128, 128, 144, 160, 136, 144, 210};
    const int n = (int)a.rows;
    const thin_variant *best = nullptr;
    double least = 0;
    for (const thin_variant &k : ALL) {
        if (k.type != type || n > 4 * k.nt || (n <= 4 && k.nt == 2 && k.tiles == 1)) {
            continue;
        }
        for (uint32_t limit : {SHARED_HALF, SHARED_MOST}) {
            const int enough = 1 + (32768 + k.warps * 16 * k.tiles * BYTES[type] - 1) / (k.warps * 16 * k.tiles * BYTES[type]);
            thin_shape s = shape_of(k, n, (int)a.in, limit, 2);
            for (int stages = enough; s.panel < a.in && stages >= 2; stages--) {
                s = shape_of(k, n, (int)a.in, limit, stages);
                if (s.panel > 0) {
                    break;
                }
            }
            const double cost = s.panel == 0 ? 0 : cost_of(k, s, n, a, blocks, BYTES[type]);
            if (s.panel > 0 && (best == nullptr || cost < least)) {
                best = &k;
                shape = s;
                least = cost;
            }
        }
    }
    return *best;
}

static void finish_launch(thin_launch &a, const thin_variant &k, const thin_shape &s, int rows) {
    a.panel = s.panel;
    a.stages = s.stages;
    a.group = rows;
    a.tiles = 0;
    for (int p = 0; p < (a.paired ? 1 : (int)a.count); p++) {
        const int each = (a.paired ? 8 : 16) * k.tiles;
        a.products[p].tiles = (a.products[p].out + each - 1) / each;
        a.tiles += a.products[p].tiles;
    }
}

#ifndef T2L_EMULATE
/* Launches with or without leave to start before the kernel ahead has ended. */
template <typename... P, typename... A> void launch_early(bool early, void (*kernel)(P...), dim3 grid, int threads, uint32_t shared, A... arguments) {
    if (shared > 48 << 10) {
        CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
    }
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = dim3(threads);
    config.dynamicSmemBytes = shared;
    config.stream = stream;
    cudaLaunchAttribute attribute;
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
    config.attrs = &attribute;
    config.numAttrs = early ? 1 : 0;
    CHECK(cudaLaunchKernelEx(&config, kernel, (P)arguments...));
}
#endif

static void run_thin(const thin_variant &k, thin_launch a, const thin_shape &s, int rows, int blocks, bool early = false) {
    finish_launch(a, k, s, rows);
    const int groups = (int)((a.rows + rows - 1) / rows);
    const dim3 grid(groups, std::min<int>((int)a.tiles, blocks));
#ifdef T2L_EMULATE
    launch(k.kernel, grid, (k.warps + 1) * WARP, s.shared, a);
#else
    launch_early(early, k.kernel, grid, (k.warps + 1) * WARP, s.shared, a);
#endif
}
