package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Mixed;
import dev.t2l.backend.Norm;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Root-mean-square norm over the last dimension (Zhang and Sennrich 2019, equation 4). */
public final class RmsNorm {
    private RmsNorm() {
    }

    /**
     * {@code out = x / sqrt(mean(x^2) + eps) * (weight + weightOffset)}.
     *
     * @param out          f32 [n, d]; may be x
     * @param x            f32 [n, d]
     * @param weight       any float type [d]
     * @param weightOffset 1 for Gemma, whose files store weight - 1; else 0
     */
    public static void forward(Backend backend, Tensor out, Tensor x, Tensor weight, float eps, float weightOffset) {
        Check.matrix("RmsNorm", "out", out, DType.F32, x.rows(), weight.elements());
        Check.matrix("RmsNorm", "x", x, DType.F32, out.rows(), weight.elements());
        backend.rmsNorm(out, x, weight, eps, weightOffset);
    }

    /**
     * {@link #forward} in training.
     *
     * @param out  F32 or BF16 [n, d]
     * @param copy becomes x: F32 or BF16 [n, d], or null
     * @param x    F32 or BF16 [n, d]
     */
    public static void forward(Mixed kernels, Tensor out, Tensor copy, Tensor x, Norm norm) {
        long d = norm.weight().elements();
        Check.activation("RmsNorm", "out", out, x.rows(), d);
        Check.activation("RmsNorm", "x", x, out.rows(), d);
        if (copy != null) {
            Check.activation("RmsNorm", "copy", copy, x.rows(), d);
        }
        kernels.rmsNorm(out, copy, x, norm);
    }

    /**
     * With a frozen weight, {@code f = 1 / sqrt(mean(x^2) + eps)} and {@code g = dy * (weight + weightOffset)}:
     * {@code dx = f g - x f^3 (x . g) / d}, or added to dx.
     *
     * @param dx f32 [n, d]
     * @param dy f32 [n, d]
     * @param x  f32 [n, d], as it was before the norm
     */
    public static void backward(Backend backend, Tensor dx, Tensor dy, Tensor x, Norm norm, boolean add) {
        Check.matrix("RmsNorm.backward", "x", x, DType.F32, dy.rows(), norm.weight().elements());
        Check.matrix("RmsNorm.backward", "dy", dy, DType.F32, x.rows(), x.cols());
        Check.matrix("RmsNorm.backward", "dx", dx, DType.F32, x.rows(), x.cols());
        backend.gradients().rmsNormBackward(dx, dy, x, norm, add);
    }

    /**
     * The same on activations of either type.
     *
     * @param dx   F32 or BF16 [n, d]; so are dy and x
     * @param copy becomes dx: F32 or BF16 [n, d], or null
     */
    public static void backward(Mixed kernels, Tensor dx, Tensor copy, Tensor dy, Tensor x, Norm norm, boolean add) {
        long d = norm.weight().elements();
        Check.activation("RmsNorm.backward", "x", x, dy.rows(), d);
        Check.activation("RmsNorm.backward", "dy", dy, x.rows(), d);
        Check.activation("RmsNorm.backward", "dx", dx, x.rows(), d);
        if (copy != null) {
            Check.activation("RmsNorm.backward", "copy", copy, x.rows(), d);
        }
        kernels.rmsNormBackward(dx, copy, dy, x, norm, add);
    }
}
