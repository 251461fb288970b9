package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Uniform noise on embeddings in training: NEFTune (Jain et al. 2023). Its backward is the identity. */
public final class AddNoise {
    private AddNoise() {
    }

    /**
     * {@code x[i, j] += magnitude[i] * u}, u uniform in [-1, 1), a function of seed and element.
     *
     * @param x         f32 [n, d]
     * @param magnitude f32 [n]; NEFTune's is alpha / sqrt(L d)
     */
    public static void forward(Backend backend, Tensor x, Tensor magnitude, long seed) {
        Check.matrix("AddNoise", "x", x, DType.F32, magnitude.elements(), x.cols());
        Check.elements("AddNoise", "magnitude", magnitude, DType.F32, x.rows());
        backend.gradients().addNoise(x, magnitude, seed);
    }
}
