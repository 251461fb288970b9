package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Head;
import dev.t2l.backend.LoraFactor;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;

/**
 * The head of a hypernetwork: a dense product whose output is cut into the A or B matrices of a LoRA adapter, in the layout
 * that {@link LoraLinear} reads.
 */
public final class HyperHead {
    private HyperHead() {
    }

    /**
     * One factor of one projection for all layers, out of the head's product {@code y = z @ w^T + bias} (see {@link Linear}):
     * {@code out[l, k, i] = y[start + l*layerStride + k*rankStride + i] * scale[l, k, i] + shift[l, k, i]}.
     *
     * @param out    f32 [layers, r, in] (A), or [layers, out, r] (B, where {@code source.transposed})
     * @param y      f32, the head's output
     * @param source where in y the factor lies
     * @param scale  f32 of out's shape, or null for 1
     * @param shift  f32 of out's shape, or null for 0
     */
    public static void factor(Backend backend, Tensor out, Tensor y, LoraFactor source, Tensor scale, Tensor shift) {
        check(out, y.dtype() == DType.F32 ? y.elements() : -1, y, source, scale, shift);
        backend.loraFactor(out, y, source, scale, shift);
    }

    /**
     * All heads at once, each {@link Linear} and then {@link #factor} for its cuts.
     *
     * @param scratch f32, room for the largest head's output
     */
    public static void forward(Backend backend, List<Head> heads, Tensor scratch) {
        for (Head head : heads) {
            Check.matrix("HyperHead", "z", head.z(), DType.F32, head.z().rows(), head.w().cols());
            if (head.bias() != null) {
                Check.weight("HyperHead", "bias", head.bias(), head.w().rows());
            }
            long size = Math.multiplyExact(head.z().rows(), head.w().rows());
            Check.that(scratch.dtype() == DType.F32 && scratch.elements() >= size, "HyperHead", "scratch must hold the largest output", scratch);
            for (Head.Cut cut : head.cuts()) {
                check(cut.out(), size, scratch, cut.source(), cut.scale(), cut.shift());
            }
        }
        backend.heads(heads, scratch);
    }

    /** @param size of the head's output, which is, or will lie, in y */
    private static void check(Tensor out, long size, Tensor y, LoraFactor source, Tensor scale, Tensor shift) {
        Check.elements("HyperHead", "out", out, DType.F32, out.elements());
        Check.that(out.rank() == 3, "HyperHead", "out must be [layers, r, in] or [layers, out, r]", out);
        long r = out.dim(source.transposed() ? 2 : 1);
        long features = out.dim(source.transposed() ? 1 : 2);
        long end = source.start() + (out.dim(0) - 1) * source.layerStride() + (r - 1) * source.rankStride() + features;
        Check.that(source.start() >= 0 && end <= size, "HyperHead", "y must hold the factor that is cut from it", y);
        if (scale != null) {
            Check.elements("HyperHead", "scale", scale, DType.F32, out.elements());
        }
        if (shift != null) {
            Check.elements("HyperHead", "shift", shift, DType.F32, out.elements());
        }
    }

    /**
     * {@link #factor} backwards: {@code dy[where out came from] = dout * scale}; other elements of dy stay.
     *
     * @param dy   f32, the gradient of the head's output
     * @param dout f32 [layers, r, in] (A), or [layers, out, r] (B, where {@code source.transposed})
     */
    public static void backward(Backend backend, Tensor dy, Tensor dout, LoraFactor source, Tensor scale) {
        check(dout, dy.dtype() == DType.F32 ? dy.elements() : -1, dy, source, scale, null);
        backend.gradients().loraFactorBackward(dy, dout, source, scale);
    }
}
