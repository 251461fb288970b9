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

    /**
     * With {@code z = (x - mean) * f}, {@code f = 1 / sqrt(var + eps)} and {@code g = dy * weight}:
     * {@code dx = f (g - mean of g - z * mean of g z)}, or added to dx; {@code dweight += sum of dy z}, {@code dbias += sum of dy}.
     *
     * @param dx      f32 [n, d]
     * @param dweight f32 [d], or null, and then dbias too
     * @param dbias   f32 [d], or null
     * @param dy      f32 [n, d]
     * @param x       f32 [n, d], as it was before the norm
     * @param weight  any float type [d]
     */
    public static void backward(Backend backend, Tensor dx, Tensor dweight, Tensor dbias, Tensor dy, Tensor x, Tensor weight, float eps, boolean add) {
        String op = "LayerNorm.backward";
        Check.matrix(op, "x", x, DType.F32, dy.rows(), weight.elements());
        Check.matrix(op, "dy", dy, DType.F32, x.rows(), x.cols());
        Check.matrix(op, "dx", dx, DType.F32, x.rows(), x.cols());
        Check.that((dweight == null) == (dbias == null), op, "dweight and dbias must both be there or both be null", weight);
        if (dweight != null) {
            Check.elements(op, "dweight", dweight, DType.F32, weight.elements());
            Check.elements(op, "dbias", dbias, DType.F32, weight.elements());
        }
        backend.gradients().layerNormBackward(dx, dweight, dbias, dy, x, weight, eps, add);
    }
}
