package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Sums, in place. */
public final class Add {
    private Add() {
    }

    /**
     * {@code y += alpha * x}.
     *
     * @param y f32, any shape
     * @param x f32, as many elements
     */
    public static void forward(Backend backend, Tensor y, Tensor x, float alpha) {
        Check.elements("Add", "x", x, DType.F32, y.elements());
        Check.elements("Add", "y", y, DType.F32, x.elements());
        backend.add(y, x, alpha);
    }
}
