package dev.t2l.ops;

import dev.t2l.backend.Backend;
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
}
