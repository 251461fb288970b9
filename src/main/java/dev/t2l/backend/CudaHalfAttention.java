package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;

/** Launches of {@code cuda/attentionhalf.cu} and {@code cuda/attentionhalfbackward.cu}: attention in training on BF16 tensors. */
final class CudaHalfAttention {
    /** Query vectors, or keys, of a tile. */
    private static final int TILE = 64;
    private static final int THREADS = 128;
    /** More than the bytes of shared memory that kernels have besides what a launch gives them. */
    private static final int STATIC_SHARED = 4096;

    /** The fields of {@code struct attention_half}; null for those that a launch does not use. */
    record Tensors(Tensor q, Tensor k, Tensor v, Tensor out, Tensor logSums, Tensor dout, Tensor dq, Tensor dk, Tensor dv, Tensor ranges, Tensor seen) {
        private boolean fit() {
            return Stream.of(q, k, v, out, dout, dq, dk, dv).allMatch(t -> t == null || t.dtype() == DType.BF16 && t.address() % 16 == 0);
        }
    }

    /** Kernels for head dimensions up to {@code dim}. */
    private record Size(CudaFunction forward, CudaFunction dq, CudaFunction dkv, int dim) {
        static Size of(CudaModule forward, CudaModule backward, int dim) {
            return new Size(forward.function("attention_half_forward_" + dim), backward.function("attention_half_dq_" + dim),
                    backward.function("attention_half_dkv_" + dim), dim);
        }

        /** Two buffers of two tiles. */
        int queriesShared() {
            return 4 * TILE * (2 * dim + 16);
        }

        /** The same, and a tile of keys and values. */
        int keysShared() {
            return 6 * TILE * (2 * dim + 16);
        }
    }

    private final CudaDevice device;
    private final List<Size> sizes; // smallest first

    CudaHalfAttention(CudaDevice device) {
        this.device = device;
        CudaModule forward = device.module("attentionhalf");
        CudaModule backward = device.module("attentionhalfbackward");
        sizes = Stream.of(64, 128).map(dim -> Size.of(forward, backward, dim)).filter(size -> size.keysShared() <= device.sharedPerBlock() - STATIC_SHARED).toList();
        for (Size size : sizes) {
            size.forward().maxShared(size.queriesShared());
            size.dq().maxShared(size.queriesShared());
            size.dkv().maxShared(size.keysShared());
        }
    }

    /** Null if there is none: for both ways or for neither. */
    private Size size(Tensors t, AttentionSpec spec) {
        if (spec.half() && spec.headDim() % 16 == 0 && spec.heads() / spec.kvHeads() <= TILE && t.fit()) {
            for (Size size : sizes) {
                if (spec.headDim() <= size.dim()) {
                    return size;
                }
            }
        }
        return null;
    }

    /** {@link Mixed#attention}, if there is a kernel for such heads and tensors; says whether. */
    boolean forward(Tensors t, AttentionSpec spec) {
        Size size = size(t, spec);
        if (size != null) {
            pass(size.forward(), t, spec, 0).run(tiles(t, spec), spec.kvHeads(), 1, THREADS, size.queriesShared());
        }
        return size != null;
    }

    /** {@link Mixed#attentionBackward}, likewise. */
    boolean backward(Tensors t, AttentionSpec spec) {
        Size size = size(t, spec);
        if (size != null) {
            CudaScratch scratch = device.scratch();
            synchronized (scratch) {
                long sums = scratch.address(8 * t.q().rows() * spec.heads());
                pass(size.dq(), t, spec, sums).run(tiles(t, spec), spec.kvHeads(), 1, THREADS, size.queriesShared());
                pass(size.dkv(), t, spec, sums).run(Math.toIntExact(CudaLinear.ceil(t.q().rows(), TILE)), spec.kvHeads(), 1, THREADS, size.keysShared());
            }
        }
        return size != null;
    }

    private static int tiles(Tensors t, AttentionSpec spec) {
        return Math.toIntExact(CudaLinear.ceil(t.q().rows(), TILE / (spec.heads() / spec.kvHeads())));
    }

    private CudaLaunch pass(CudaFunction kernel, Tensors t, AttentionSpec spec, long sums) {
        return kernel.args().i32(spec.heads()).i32(spec.kvHeads()).i32(spec.headDim()).i32(spec.window()).f32(spec.scale()).f32(spec.softcap())
                .pointer(t.q()).pointer(t.k()).pointer(t.v()).pointer(t.out()).pointer(t.logSums()).pointer(t.dout()).pointer(t.dq()).pointer(t.dk()).pointer(t.dv())
                .i64(sums).pointer(t.ranges()).pointer(t.seen()).i64(t.q().rows()).i64(device.fault());
    }
}
