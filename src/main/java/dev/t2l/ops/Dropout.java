package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Dropout (Srivastava et al. 2014), scaled in training so that it is the identity at inference. */
public final class Dropout {
    private Dropout() {
    }

    /**
     * {@code out[i] = x[i] / (1 - p)}, or 0 with probability p. Which ones is a function of seed and i, so that the same call, on the gradient,
     * is the backward.
     *
     * @param out f32, of x's size; may be x
     * @param x   f32, any shape
     * @param p   at least 0 and below 1
     */
    public static void forward(Backend backend, Tensor out, Tensor x, float p, long seed) {
        Check.elements("Dropout", "out", out, DType.F32, x.elements());
        Check.elements("Dropout", "x", x, DType.F32, out.elements());
        if (!(p >= 0 && p < 1)) {
            throw new IllegalArgumentException("Dropout: the probability must be at least 0 and below 1, is " + p);
        }
        backend.gradients().dropout(out, x, p, seed);
    }
}
