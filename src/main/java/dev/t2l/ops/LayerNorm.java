package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Layer norm over the last dimension, with the biased variance (Ba et al. 2016). */
public final class LayerNorm {
    private LayerNorm() {
    }

    /**
     * {@code out = (x - mean) / sqrt(var + eps) * weight + bias}.
     *
     * @param out    f32 [n, d]; may be x
     * @param x      f32 [n, d]
     * @param weight any float type [d]
     * @param bias   any float type [d]
     */
    public static void forward(Backend backend, Tensor out, Tensor x, Tensor weight, Tensor bias, float eps) {
        Check.matrix("LayerNorm", "out", out, DType.F32, x.rows(), weight.elements());
        Check.matrix("LayerNorm", "x", x, DType.F32, out.rows(), weight.elements());
        Check.weight("LayerNorm", "bias", bias, weight.elements());
        backend.layerNorm(out, x, weight, bias, eps);
    }

    /** {@code x = layerNorm(x + branch)}; f32 [n, d] both. */
    public static void added(Backend backend, Tensor x, Tensor branch, Tensor weight, Tensor bias, float eps) {
        Check.matrix("LayerNorm", "x", x, DType.F32, branch.rows(), weight.elements());
        Check.matrix("LayerNorm", "branch", branch, DType.F32, x.rows(), weight.elements());
        Check.weight("LayerNorm", "bias", bias, weight.elements());
        backend.addLayerNorm(x, branch, weight, bias, eps);
    }
}
