package dev.t2l.ops;

import dev.t2l.backend.Activation;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Mixed;
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

    /** {@link #gated} in training: F32 or BF16. */
    public static void gated(Mixed kernels, Tensor out, Tensor gate, Tensor up, Activation f) {
        Check.activation("Activate", "out", out, gate.elements());
        Check.activation("Activate", "gate", gate, out.elements());
        Check.activation("Activate", "up", up, out.elements());
        kernels.gated(out, gate, up, f);
    }

    /** {@code dx = dy * f'(x)}; f32, same number of elements; dx may be dy. */
    public static void backward(Backend backend, Tensor dx, Tensor dy, Tensor x, Activation f) {
        Check.elements("Activate.backward", "dx", dx, DType.F32, x.elements());
        Check.elements("Activate.backward", "dy", dy, DType.F32, x.elements());
        Check.elements("Activate.backward", "x", x, DType.F32, dy.elements());
        backend.gradients().activationBackward(dx, dy, x, f);
    }

    /**
     * Of {@link #gated}: {@code dgate = dy * up * f'(gate)}, {@code dup = dy * f(gate)}; F32 or BF16, same number of elements; dgate may
     * be gate, dup may be up.
     */
    public static void gatedBackward(Mixed kernels, Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up, Activation f) {
        String op = "Activate.gatedBackward";
        Check.activation(op, "dgate", dgate, gate.elements());
        Check.activation(op, "dup", dup, gate.elements());
        Check.activation(op, "dy", dy, gate.elements());
        Check.activation(op, "gate", gate, dy.elements());
        Check.activation(op, "up", up, gate.elements());
        kernels.gatedBackward(dgate, dup, dy, gate, up, f);
    }
}
