package dev.t2l.ops;

import dev.t2l.backend.Activation;
import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Element-wise activation functions, alone and gated (SwiGLU, GeGLU: Shazeer 2020). */
public final class Activate {
    private Activate() {
    }

    /** {@code out = f(x)}; f32, same number of elements; out may be x. */
    public static void forward(Backend backend, Tensor out, Tensor x, Activation f) {
        Check.elements("Activate", "out", out, DType.F32, x.elements());
        Check.elements("Activate", "x", x, DType.F32, out.elements());
        backend.activation(out, x, f);
    }

    /** {@code out = f(gate) * up}; f32, same number of elements; out may be gate or up. */
    public static void gated(Backend backend, Tensor out, Tensor gate, Tensor up, Activation f) {
        Check.elements("Activate", "out", out, DType.F32, gate.elements());
        Check.elements("Activate", "gate", gate, DType.F32, out.elements());
        Check.elements("Activate", "up", up, DType.F32, out.elements());
        backend.gated(out, gate, up, f);
    }
}
