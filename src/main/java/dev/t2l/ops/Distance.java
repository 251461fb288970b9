package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Sum of absolute or squared differences, forward and backward at once. */
public final class Distance {
    private Distance() {
    }

    /**
     * {@code loss[0] += weight * sum |x - target|}, {@code dx = weight * sign(x - target)}; with {@code squared}, the squares and their gradient.
     *
     * @param loss   f32 [1]
     * @param dx     f32, of x's size
     * @param x      f32, any shape
     * @param target f32, of x's size
     */
    public static void lossAndGradient(Backend backend, Tensor loss, Tensor dx, Tensor x, Tensor target, float weight, boolean squared) {
        Check.elements("Distance", "loss", loss, DType.F32, 1);
        Check.elements("Distance", "dx", dx, DType.F32, x.elements());
        Check.elements("Distance", "target", target, DType.F32, x.elements());
        Check.elements("Distance", "x", x, DType.F32, target.elements());
        backend.gradients().distance(loss, dx, x, target, weight, squared);
    }
}
