package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Mixed;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** The dense product {@code y = x W^T + b}. */
public final class Linear {
    private Linear() {
    }

    /**
     * {@code y[n, out] = x[n, in] @ w[out, in]^T + bias[out]}, f32 sums over in.
     *
     * @param y    f32 [n, out]
     * @param x    f32 [n, in]
     * @param w    any float or block-quantised type [out, in], used as stored
     * @param bias any float type [out], or null
     */
    public static void forward(Backend backend, Tensor y, Tensor x, Tensor w, Tensor bias) {
        check("Linear", y, x, w, bias);
        backend.linear(y, x, w, bias);
    }

    static void check(String op, Tensor y, Tensor x, Tensor w, Tensor bias) {
        Check.matrix(op, "x", x, DType.F32, x.rows(), w.cols());
        Check.matrix(op, "y", y, DType.F32, x.rows(), w.rows());
        if (bias != null) {
            Check.weight(op, "bias", bias, w.rows());
        }
    }

    static void checkMixed(String op, Tensor y, Tensor x, Tensor w, Tensor bias) {
        Check.activation(op, "x", x, x.rows(), w.cols());
        Check.activation(op, "y", y, x.rows(), w.rows());
        if (bias != null) {
            Check.weight(op, "bias", bias, w.rows());
        }
    }

    /**
     * Through a frozen weight: {@code dx = dy w}, or added to dx.
     *
     * @param dx f32 [n, in]
     * @param dy f32 [n, out]
     * @param w  any float or block-quantised type [out, in], used as stored
     */
    public static void backward(Backend backend, Tensor dx, Tensor dy, Tensor w, boolean add) {
        check("Linear.backward", dy, dx, w, null);
        backend.gradients().linearBackward(dx, dy, w, add);
    }

    /** The same; dx and dy F32 or BF16. */
    public static void backward(Mixed kernels, Tensor dx, Tensor dy, Tensor w, boolean add) {
        checkMixed("Linear.backward", dy, dx, w, null);
        kernels.linearBackward(dx, dy, w, add);
    }

    /**
     * Of a trained weight, added: {@code dw += dy^T x}, {@code dbias += sum of dy's rows}.
     *
     * @param dw    f32 [out, in]
     * @param dbias f32 [out], or null
     * @param dy    f32 [n, out]
     * @param x     f32 [n, in]
     */
    public static void gradient(Backend backend, Tensor dw, Tensor dbias, Tensor dy, Tensor x) {
        Check.matrix("Linear.gradient", "dw", dw, DType.F32, dy.cols(), x.cols());
        check("Linear.gradient", dy, x, dw, null);
        if (dbias != null) {
            Check.elements("Linear.gradient", "dbias", dbias, DType.F32, dy.cols());
        }
        backend.gradients().linearGradient(dw, dbias, dy, x);
    }
}
