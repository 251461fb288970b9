package dev.t2l.backend;

import dev.t2l.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;

/** Launches of {@code cuda/attentionbackward.cu}, and for heads too large for it, of {@code cuda/attentionbackwardany.cu}. */
final class CudaAttentionBackward {
    private static final int THREADS = 256;
    /** Heads that share a key head, at most, in a tile. */
    private static final int GROUP = 32;
    /** Query vectors, or keys, of a tile. */
    private static final int TILE = 32;
    /** More than the bytes of shared memory that kernels have besides what a launch gives them. */
    private static final int STATIC_SHARED = 2048;

    /** Tensors of a call, in the order of the kernels' parameters. */
    record Tensors(Tensor q, Tensor k, Tensor v, Tensor out, Tensor dout, Tensor dq, Tensor dk, Tensor dv) {
    }

    /** Both kernels for head dimensions up to {@code dim}: four matrices of 32 rows, and two of 32 x 32. */
    private record Size(CudaFunction queries, CudaFunction keys, int dim) {
        static Size of(CudaModule module, int dim) {
            return new Size(module.function("attention_dq_" + dim), module.function("attention_dkv_" + dim), dim);
        }

        int sharedBytes() {
            return 4 * TILE * (4 * (dim + 4) + 2 * (TILE + 4));
        }
    }

    private final CudaDevice device;
    private final List<Size> sizes; // smallest first
    private final CudaFunction anyQueries;
    private final CudaFunction anyKeys;

    CudaAttentionBackward(CudaDevice device) {
        this.device = device;
        CudaModule rows = device.module("attentionbackward");
        sizes = Stream.of(64, 128, 256).map(dim -> Size.of(rows, dim)).filter(size -> size.sharedBytes() <= device.sharedPerBlock() - STATIC_SHARED).toList();
        for (Size size : sizes) {
            size.queries().maxShared(size.sharedBytes());
            size.keys().maxShared(size.sharedBytes());
        }
        CudaModule any = device.module("attentionbackwardany");
        anyQueries = any.function("attention_dq_any");
        anyKeys = any.function("attention_dkv_any");
    }

    /** The smallest that takes such heads; null if none does. */
    private Size pick(AttentionSpec spec) {
        for (Size size : sizes) {
            if (spec.headDim() <= size.dim() && spec.heads() / spec.kvHeads() <= GROUP) {
                return size;
            }
        }
        return null;
    }

    /** {@link Gradients#attentionBackward}. */
    void run(Tensors tensors, Gradients.AttentionRows rows, AttentionSpec spec) {
        long n = tensors.q().rows();
        int d = spec.headDim();
        Size size = pick(spec);
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            long sums = scratch.address(8 * n * spec.heads());
            if (size != null) {
                int tileRows = TILE / (spec.heads() / spec.kvHeads());
                pass(size.queries(), tensors, rows, spec, sums)
                        .run(Math.toIntExact(CudaLinear.ceil(n, tileRows)), spec.kvHeads(), 1, THREADS, size.sharedBytes());
                pass(size.keys(), tensors, rows, spec, sums)
                        .run(Math.toIntExact(CudaLinear.ceil(n, TILE)), spec.kvHeads(), 1, THREADS, size.sharedBytes());
                return;
            }
            if (8 * d > 48 << 10) {
                throw new IllegalArgumentException("attention backwards: heads of " + d + " are too large for the CUDA kernels, which take up to " + (48 << 10) / 8);
            }
            pass(anyQueries, tensors, rows, spec, sums).run(Math.toIntExact(n), spec.heads(), 1, THREADS, 4 * d);
            pass(anyKeys, tensors, rows, spec, sums).run(Math.toIntExact(n), spec.kvHeads(), 1, THREADS, 8 * d);
        }
    }

    private CudaLaunch pass(CudaFunction kernel, Tensors t, Gradients.AttentionRows rows, AttentionSpec spec, long sums) {
        long n = t.q().rows();
        return kernel.args().i32(spec.heads()).i32(spec.kvHeads()).i32(spec.headDim()).i32(spec.window()).f32(spec.scale()).f32(spec.softcap())
                .pointer(t.q()).pointer(t.k()).pointer(t.v()).pointer(t.out()).pointer(t.dout()).pointer(t.dq()).pointer(t.dk()).pointer(t.dv())
                .i64(sums).i64(sums + 4 * n * spec.heads()).pointer(rows.ranges()).pointer(rows.seen()).i64(n).i64(device.fault());
    }
}
