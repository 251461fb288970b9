package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** One value everywhere. */
public final class Fill {
    private Fill() {
    }

    /** {@code x = value}; f32, any shape. */
    public static void forward(Backend backend, Tensor x, float value) {
        Check.elements("Fill", "x", x, DType.F32, x.elements());
        backend.gradients().fill(x, value);
    }
}
