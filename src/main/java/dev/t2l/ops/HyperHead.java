package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.backend.LoraFactor;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

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
        Check.elements("HyperHead", "out", out, DType.F32, out.elements());
        Check.that(out.rank() == 3, "HyperHead", "out must be [layers, r, in] or [layers, out, r]", out);
        long r = out.dim(source.transposed() ? 2 : 1);
        long features = out.dim(source.transposed() ? 1 : 2);
        long end = source.start() + (out.dim(0) - 1) * source.layerStride() + (r - 1) * source.rankStride() + features;
        Check.that(y.dtype() == DType.F32 && source.start() >= 0 && end <= y.elements(), "HyperHead", "y must hold the factor that is cut from it", y);
        if (scale != null) {
            Check.elements("HyperHead", "scale", scale, DType.F32, out.elements());
        }
        if (shift != null) {
            Check.elements("HyperHead", "shift", shift, DType.F32, out.elements());
        }
        backend.loraFactor(out, y, source, scale, shift);
    }
}
