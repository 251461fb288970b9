package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** The sum of squares, of which a gradient's norm is made. */
public final class SumSquares {
    private SumSquares() {
    }

    /**
     * {@code out[at] = sum of x^2}, summed in double; NaN and infinities show in it.
     *
     * @param out f32
     * @param x   f32, any shape
     */
    public static void forward(Backend backend, Tensor out, long at, Tensor x) {
        Check.elements("SumSquares", "x", x, DType.F32, x.elements());
        Check.that(out.dtype() == DType.F32 && at >= 0 && at < out.elements(), "SumSquares", "out must be F32 with a place " + at, out);
        backend.gradients().sumSquares(out, at, x);
    }
}
