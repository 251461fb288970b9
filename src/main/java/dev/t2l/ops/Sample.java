package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** The choice of next tokens: greedy, or drawn after top-k (Fan et al. 2018), top-p (Holtzman et al. 2020) and min-p (Nguyen et al. 2024). */
public final class Sample {
    /** Values of a row of choices. */
    public static final int CHOICES = 5;

    private Sample() {
    }

    /**
     * One token a row; see {@link Backend#sample} for what is kept and how one of it is drawn.
     *
     * @param tokens  i32 [m]; -1 where a row's logits are broken
     * @param logits  f32 [m, V]
     * @param choices f32 [m, 5]: temperature (0: greedy), topK (0: all), topP (1: all), minP (0: all), u in [0, 1)
     */
    public static void forward(Backend backend, Tensor tokens, Tensor logits, Tensor choices) {
        Check.that(logits.cols() > 0, "Sample", "logits must have a vocabulary", logits);
        Check.matrix("Sample", "logits", logits, DType.F32, tokens.elements(), logits.cols());
        Check.elements("Sample", "tokens", tokens, DType.I32, logits.rows());
        Check.matrix("Sample", "choices", choices, DType.F32, logits.rows(), CHOICES);
        backend.sample(tokens, logits, choices);
    }
}
