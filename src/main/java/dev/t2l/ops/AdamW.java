package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Gradients;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** The optimiser's step with decoupled weight decay (Loshchilov and Hutter 2019), as torch.optim.AdamW computes it. */
public final class AdamW {
    private AdamW() {
    }

    /**
     * With {@code g' = gradScale g}: {@code m = beta1 m + (1 - beta1) g'}, {@code v = beta2 v + (1 - beta2) g'^2},
     * {@code w -= rate * (weightDecay w + m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps))}.
     *
     * @param w f32, any shape; g, m and v are of its size
     */
    public static void step(Backend backend, Tensor w, Tensor g, Tensor m, Tensor v, Gradients.AdamW step) {
        Check.elements("AdamW", "w", w, DType.F32, g.elements());
        Check.elements("AdamW", "g", g, DType.F32, w.elements());
        Check.elements("AdamW", "m", m, DType.F32, w.elements());
        Check.elements("AdamW", "v", v, DType.F32, w.elements());
        if (step.step() < 1) {
            throw new IllegalArgumentException("AdamW: steps count from 1, this is " + step.step());
        }
        backend.gradients().adamW(w, g, m, v, step);
    }
}
