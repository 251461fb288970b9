package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/** Launches of {@code cuda/attention.cu} and {@code cuda/attentiondecode.cu}. */
final class CudaAttention {
    /** What the kernels were compiled for: head dimensions up to {@code dim}, tiles of {@code vectors} queries and {@code keys} keys. */
    private record Tile(CudaFunction kernel, int dim, int vectors, int keys) {
        int sharedBytes() {
            return 4 * (vectors * (dim + 4) + keys * (dim + 4) + vectors * (keys + 4));
        }
    }

    private static final int SPLIT = 128;
    private static final int SPLITS = 64;
    private static final int KEYS = 128;
    private static final int THREADS = 256;
    /** Rows of one launch of splits, which bounds the memory for their results. */
    private static final int ROWS = 32;

    private final CudaDevice device;
    private final Tile[] tiles;
    private final CudaFunction[] splits = new CudaFunction[4];
    private final CudaFunction combine;

    CudaAttention(CudaDevice device) {
        this.device = device;
        CudaModule prefill = device.module("attention");
        tiles = new Tile[] {tile(prefill, 64, 64, 64), tile(prefill, 128, 64, 64), tile(prefill, 256, 32, 32)};
        CudaModule decode = device.module("attentiondecode");
        for (int i = 0; i < splits.length; i++) {
            splits[i] = decode.function("attention_split_" + (1 << i)).maxShared(device.sharedPerBlock() - 1024);
        }
        combine = decode.function("attention_combine");
    }

    private static Tile tile(CudaModule module, int dim, int vectors, int keys) {
        var tile = new Tile(module.function("attention_" + dim), dim, vectors, keys);
        tile.kernel().maxShared(tile.sharedBytes());
        return tile;
    }

    /** For many rows of few sequences; heads too large for a tile take the other way. */
    void prefill(Tensor out, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec) {
        int group = spec.heads() / spec.kvHeads();
        for (Tile tile : tiles) {
            if (spec.headDim() <= tile.dim() && group <= tile.vectors()) {
                int rows = tile.vectors() / group;
                tile.kernel().args().pointer(out).pointer(q).i64(q.rows()).pointer(k).pointer(v).i64(k.rows()).pointer(ranges)
                        .i32(spec.heads()).i32(spec.kvHeads()).i32(spec.headDim()).i32(spec.window()).f32(spec.scale()).f32(spec.softcap()).i64(device.fault())
                        .run(Math.toIntExact((q.rows() + rows - 1) / rows), spec.kvHeads(), 1, THREADS, tile.sharedBytes());
                return;
            }
        }
        decode(out, q, k, v, ranges, spec);
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
