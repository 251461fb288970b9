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

    /**
     * {@code dy *= 1 - (y / cap)^2}.
     *
     * @param dy f32, any shape
     * @param y  f32, the forward's result
     */
    public static void backward(Backend backend, Tensor dy, Tensor y, float cap) {
        Check.elements("Softcap.backward", "y", y, DType.F32, dy.elements());
        Check.elements("Softcap.backward", "dy", dy, DType.F32, y.elements());
        Check.that(cap > 0, "Softcap.backward", "cap must be positive", y);
        backend.gradients().softcapBackward(dy, y, cap);
    }
}
