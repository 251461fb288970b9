package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Soft limit of Gemma-2. */
public final class Softcap {
    private Softcap() {
    }

    /**
     * {@code x = cap * tanh(x / cap)}.
     *
     * @param x f32, any shape
     */
    public static void forward(Backend backend, Tensor x, float cap) {
        Check.elements("Softcap", "x", x, DType.F32, x.elements());
        Check.that(cap > 0, "Softcap", "cap must be positive", x);
        backend.softcap(x, cap);
    }
}
