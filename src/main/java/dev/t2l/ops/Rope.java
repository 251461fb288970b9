package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Mixed;
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
        check(x, angles);
        backend.rope(x, angles, interleaved);
    }

    /** {@link #forward} in training; x F32 or BF16. */
    public static void forward(Mixed kernels, Tensor x, Tensor angles, boolean interleaved) {
        Check.activation("Rope", "x", x, angles.rows(), x.cols());
        check(x, angles);
        kernels.rope(x, angles, interleaved);
    }

    private static void check(Tensor x, Tensor angles) {
        Check.matrix("Rope", "angles", angles, DType.F32, x.rows(), angles.cols());
        Check.that(x.cols() % angles.cols() == 0, "Rope", "x must be whole heads as wide as the angles", x);
    }

    /**
     * Rotates q and k, and stores k and v in the rows {@code index} of a cache.
     *
     * @param q      f32 [n, heads * 2h]
     * @param k      f32 [n, kvHeads * 2h], undefined afterwards
     * @param v      f32 [n, kvHeads * 2h]
     * @param keys   f32 [N, kvHeads * 2h]; values as keys
     * @param index  i32 [n], no row twice
     */
    public static void store(Backend backend, Tensor q, Tensor k, Tensor v, Tensor angles, boolean interleaved, Tensor keys, Tensor values, Tensor index) {
        Check.matrix("Rope.store", "q", q, DType.F32, angles.rows(), q.cols());
        Check.matrix("Rope.store", "k", k, DType.F32, angles.rows(), keys.cols());
        Check.matrix("Rope.store", "v", v, DType.F32, angles.rows(), values.cols());
        Check.matrix("Rope.store", "values", values, DType.F32, keys.rows(), keys.cols());
        Check.elements("Rope.store", "index", index, DType.I32, angles.rows());
        Check.that(q.cols() % angles.cols() == 0, "Rope.store", "q must be whole heads as wide as the angles", q);
        Check.that(k.cols() % angles.cols() == 0, "Rope.store", "k must be whole heads as wide as the angles", k);
        backend.ropeStore(q, k, v, angles, interleaved, keys, values, index);
    }

    /**
     * {@link #forward} backwards: a rotation's transpose is the rotation by the negated angle.
     *
     * @param dx   f32 [n, heads * 2h], dy before
     * @param back f32 [n, 2h]: {@link #angles} of the negated positions
     */
    public static void backward(Backend backend, Tensor dx, Tensor back, boolean interleaved) {
        forward(backend, dx, back, interleaved);
    }

    /** The same; dx F32 or BF16. */
    public static void backward(Mixed kernels, Tensor dx, Tensor back, boolean interleaved) {
        forward(kernels, dx, back, interleaved);
    }
}
