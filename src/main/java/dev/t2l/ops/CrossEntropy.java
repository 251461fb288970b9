package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Cross-entropy with label smoothing (Szegedy et al. 2016), forward and backward at once: its logits are never needed twice. */
public final class CrossEntropy {
    private CrossEntropy() {
    }

    /**
     * {@code loss[i] = weight[i] * ((1 - s) * nll(label) + s * mean of nll over all V)}, {@code logits = weight[i] * (softmax - target)}, where
     * {@code target = s / V}, and {@code 1 - s} more at the label.
     *
     * @param loss   f32 [n]; 0 where the label is negative (ignored)
     * @param logits f32 [n, V]; their gradient afterwards, 0 where the label is negative
     * @param labels i32 [n], each below V
     * @param weight f32 [n]
     * @param smoothing s, at least 0 and below 1
     * @throws IndexOutOfBoundsException if a label is V or more (backends on the host)
     */
    public static void lossAndGradient(Backend backend, Tensor loss, Tensor logits, Tensor labels, Tensor weight, float smoothing) {
        Check.matrix("CrossEntropy", "logits", logits, DType.F32, labels.elements(), logits.cols());
        Check.elements("CrossEntropy", "labels", labels, DType.I32, logits.rows());
        Check.elements("CrossEntropy", "loss", loss, DType.F32, logits.rows());
        Check.elements("CrossEntropy", "weight", weight, DType.F32, logits.rows());
        if (!(smoothing >= 0 && smoothing < 1)) {
            throw new IllegalArgumentException("CrossEntropy: label smoothing must be at least 0 and below 1, is " + smoothing);
        }
        backend.gradients().crossEntropy(loss, logits, labels, weight, smoothing);
    }
}
