package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Rotary position embedding (Su et al. 2021, equation 34). */
public final class Rope {
    private Rope() {
    }

    /**
     * Cosines and sines of a batch, shared by all its layers.
     *
     * @param out       f32 [n, 2h]: factor * cos, then factor * sin
     * @param positions i32 [n]
     * @param invFreq   f32 [h]
     */
    public static void angles(Backend backend, Tensor out, Tensor positions, Tensor invFreq, float factor) {
        Check.matrix("Rope", "out", out, DType.F32, positions.elements(), 2 * invFreq.elements());
        Check.elements("Rope", "positions", positions, DType.I32, out.rows());
        Check.elements("Rope", "invFreq", invFreq, DType.F32, out.cols() / 2);
        backend.ropeAngles(out, positions, invFreq, factor);
    }

    /**
     * Rotates every head of every row in place.
     *
     * @param x           f32 [n, heads * 2h]
     * @param angles      f32 [n, 2h]
     * @param interleaved pairs are (2j, 2j+1) as in llama.cpp's llama files, not (j, j+h)
     */
    public static void forward(Backend backend, Tensor x, Tensor angles, boolean interleaved) {
        Check.matrix("Rope", "x", x, DType.F32, angles.rows(), x.cols());
        Check.that(x.cols() % angles.cols() == 0, "Rope", "x must be whole heads as wide as the angles", x);
        backend.rope(x, angles, interleaved);
    }
}
