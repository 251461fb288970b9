package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Rows stored at given places: how keys and values enter their cache. */
public final class Scatter {
    private Scatter() {
    }

    /**
     * {@code out[index[i], :] = x[i, :]}.
     *
     * @param out   f32 [N, d]
     * @param x     f32 [n, d]
     * @param index i32 [n] below N, without repeats (the caller checks)
     */
    public static void forward(Backend backend, Tensor out, Tensor x, Tensor index) {
        Check.matrix("Scatter", "x", x, DType.F32, index.elements(), out.cols());
        Check.elements("Scatter", "index", index, DType.I32, x.rows());
        Check.that(out.dtype() == DType.F32, "Scatter", "out must be F32", out);
        backend.scatter(out, x, index);
    }
}
