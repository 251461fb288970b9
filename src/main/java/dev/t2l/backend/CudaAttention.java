package dev.t2l.backend;

import dev.t2l.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;

/** Launches of {@code cuda/attention.cu}, {@code cuda/attentiontiles.cu} and {@code cuda/attentiondecode.cu}. */
final class CudaAttention {
    /** What a kernel was compiled for: head dimensions up to {@code dim}, tiles of {@code vectors} queries. */
    private record Tile(CudaFunction kernel, int dim, int vectors, int threads, int sharedBytes) {
        /** f32, with blocks of so many keys. */
        static Tile exact(CudaModule module, int dim, int vectors, int keys) {
            return new Tile(module.function("attention_" + dim), dim, vectors, THREADS, 4 * (vectors * (dim + 4) + keys * (dim + 4) + vectors * (keys + 4)));
        }

        /** bf16; {@code queries}: these lie in shared memory, too. */
        static Tile half(CudaModule module, int dim, int vectors, int keys, boolean queries) {
            return new Tile(module.function("attention_half_" + dim + "_" + vectors), dim, vectors, 2 * vectors,
                    4 * keys * (2 * dim + 16) + (queries ? 2 * vectors * dim : 0));
        }

        boolean takes(AttentionSpec spec) {
            return spec.headDim() <= dim && spec.heads() / spec.kvHeads() <= vectors;
        }

        /** Tiles of n rows. */
        int tiles(long n, AttentionSpec spec) {
            int rows = vectors / (spec.heads() / spec.kvHeads());
            return Math.toIntExact((n + rows - 1) / rows);
        }
    }

    private static final int SPLIT = 128;
    private static final int SPLITS = 64;
    private static final int KEYS = 128;
    private static final int THREADS = 256;
    /** More than the bytes of shared memory that kernels have besides what a launch gives them. */
    private static final int STATIC_SHARED = 2048;
    /** Rows of one launch of splits, which bounds the memory for their results. */
    private static final int ROWS = 32;

    private final CudaDevice device;
    private final Tile[] exact;
    private final List<Tile> half;
    private final CudaFunction[] splits = new CudaFunction[4];
    private final CudaFunction combine;

    CudaAttention(CudaDevice device) {
        this.device = device;
        CudaModule tiles = device.module("attention");
        exact = new Tile[] {Tile.exact(tiles, 64, 64, 64), Tile.exact(tiles, 128, 64, 64), Tile.exact(tiles, 256, 32, 32)};
        for (Tile tile : exact) {
            tile.kernel().maxShared(tile.sharedBytes());
        }
        CudaModule halves = device.module("attentiontiles");
        half = Stream.of(Tile.half(halves, 64, 128, 64, false), Tile.half(halves, 64, 64, 64, false),
                Tile.half(halves, 128, 128, 64, false), Tile.half(halves, 128, 64, 64, true), Tile.half(halves, 256, 128, 32, true))
                .filter(tile -> tile.sharedBytes() <= device.sharedPerBlock() - STATIC_SHARED).toList();
        half.forEach(tile -> tile.kernel().maxShared(tile.sharedBytes()));
        CudaModule decode = device.module("attentiondecode");
        for (int i = 0; i < splits.length; i++) {
            splits[i] = decode.function("attention_split_" + (1 << i)).maxShared(device.sharedPerBlock() - 1024);
        }
        combine = decode.function("attention_combine");
    }

    /**
     * For many rows of few sequences; heads too large for a tile take the other way.
     *
     * @param mayRound where {@code spec.half} lets it
     */
    void prefill(Tensor out, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec, boolean mayRound) {
        long n = q.rows();
        Tile rounding = mayRound && spec.half() ? rounding(n, spec) : null;
        if (rounding != null) {
            launch(rounding, out, q, k, v, ranges, spec).run(spec.kvHeads(), rounding.tiles(n, spec), 1, rounding.threads(), rounding.sharedBytes());
            return;
        }
        for (Tile tile : exact) {
            if (tile.takes(spec)) {
                launch(tile, out, q, k, v, ranges, spec).run(tile.tiles(n, spec), spec.kvHeads(), 1, tile.threads(), tile.sharedBytes());
                return;
            }
        }
        decode(out, q, k, v, ranges, spec);
    }

    /**
     * The tile that rounds to bf16; null where none can. Those of one head dimension give the same bits: the smaller one, if
     * the larger one's blocks would leave part of the device idle.
     */
    private Tile rounding(long n, AttentionSpec spec) {
        Tile chosen = null;
        if (spec.headDim() % 16 == 0) {
            for (int i = 0; i < half.size(); i++) {
                Tile tile = half.get(i);
                if (tile.takes(spec) && (chosen == null
                        || chosen.dim() == tile.dim() && (long) chosen.tiles(n, spec) * spec.kvHeads() < device.multiprocessors())) {
                    chosen = tile;
                }
            }
        }
        return chosen;
    }

    private CudaLaunch launch(Tile tile, Tensor out, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec) {
        return tile.kernel().args().pointer(out).pointer(q).i64(q.rows()).pointer(k).pointer(v).i64(k.rows()).pointer(ranges)
                .i32(spec.heads()).i32(spec.kvHeads()).i32(spec.headDim()).i32(spec.window()).f32(spec.scale()).f32(spec.softcap()).i64(device.fault());
    }

    /** For rows that are each alone in their sequence, and any head dimension. */
    void decode(Tensor out, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec) {
        int group = spec.heads() / spec.kvHeads();
        int log = Math.min(splits.length - 1, 32 - Integer.numberOfLeadingZeros(group - 1));
        int together = 1 << log;
        int d = spec.headDim();
        int width = Math.min(THREADS, (d + 31) / 32 * 32);
        int sharedBytes = 4 * together * (d + KEYS + THREADS / width * d);
        if (sharedBytes > device.sharedPerBlock() - 1024) {
            throw new IllegalArgumentException("attention with head dimension " + d + " needs " + sharedBytes + " bytes of shared memory a block; " + device + " has " + device.sharedPerBlock());
        }
        long keys = spec.window() == 0 ? k.rows() : Math.min(k.rows(), spec.window());
        int parts = (int) Math.min(SPLITS, (keys + SPLIT - 1) / SPLIT);
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            long partial = scratch.address(4L * Math.min(ROWS, q.rows()) * spec.heads() * parts * (d + 2));
            for (long first = 0; first < q.rows(); first += ROWS) {
                int rows = (int) Math.min(ROWS, q.rows() - first);
                splits[log].args().i64(partial).pointer(q).pointer(k).pointer(v).i64(k.rows()).pointer(ranges).i64(first)
                        .i32(spec.heads()).i32(spec.kvHeads()).i32(d).i32(spec.window()).f32(spec.scale()).f32(spec.softcap()).i64(device.fault())
                        .run(parts, spec.kvHeads() * ((group + together - 1) / together), rows, THREADS, sharedBytes);
                combine.args().pointer(out).i64(partial).pointer(ranges).i64(first).i32(parts).i64(k.rows())
                        .i32(spec.heads()).i32(spec.kvHeads()).i32(d).i32(spec.window()).i64(device.fault())
                        .run(spec.heads(), rows, 1, 128, 0);
            }
        }
    }
}
