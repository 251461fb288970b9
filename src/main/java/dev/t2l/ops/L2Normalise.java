package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Rows scaled to a given length. */
public final class L2Normalise {
    private L2Normalise() {
    }

    /**
     * {@code x[i, :] *= scale / max(|x[i, :]|, 1e-12)}.
     *
     * @param x f32 [n, d]
     */
    public static void forward(Backend backend, Tensor x, float scale) {
        Check.elements("L2Normalise", "x", x, DType.F32, x.elements());
        backend.l2Normalise(x, scale);
    }
}
