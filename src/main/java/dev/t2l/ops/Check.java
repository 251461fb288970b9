package dev.t2l.ops;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Checks of an operation's arguments; they allocate only when they fail. */
final class Check {
    private Check() {
    }

    /** {@code t} is of {@code dtype} and has {@code rows} rows of {@code cols}. */
    static void matrix(String op, String name, Tensor t, DType dtype, long rows, long cols) {
        if (t.dtype() != dtype || t.cols() != cols || t.rows() != rows) {
            throw new IllegalArgumentException(op + ": " + name + " must be " + dtype + "[" + rows + ", " + cols + "], is " + t);
        }
    }

    /** {@code t} is an activation of training, F32 or BF16, and has {@code rows} rows of {@code cols}. */
    static void activation(String op, String name, Tensor t, long rows, long cols) {
        if (!mixed(t) || t.cols() != cols || t.rows() != rows) {
            throw new IllegalArgumentException(op + ": " + name + " must be F32 or BF16[" + rows + ", " + cols + "], is " + t);
        }
    }

    /** {@code t} is an activation of training, F32 or BF16, and holds {@code n} elements. */
    static void activation(String op, String name, Tensor t, long n) {
        if (!mixed(t) || t.elements() != n) {
            throw new IllegalArgumentException(op + ": " + name + " must hold " + n + " F32 or BF16 elements, is " + t);
        }
    }

    private static boolean mixed(Tensor t) {
        return t.dtype() == DType.F32 || t.dtype() == DType.BF16;
    }

    /** {@code t} is of {@code dtype} and has {@code n} elements. */
    static void elements(String op, String name, Tensor t, DType dtype, long n) {
        if (t.dtype() != dtype || t.elements() != n) {
            throw new IllegalArgumentException(op + ": " + name + " must hold " + n + " " + dtype + " elements, is " + t);
        }
    }

    /** {@code t} is a weight of any type with {@code n} elements. */
    static void weight(String op, String name, Tensor t, long n) {
        if (t.elements() != n) {
            throw new IllegalArgumentException(op + ": " + name + " must hold " + n + " elements, is " + t);
        }
    }

    static void that(boolean holds, String op, String wanted, Tensor got) {
        if (!holds) {
            throw new IllegalArgumentException(op + ": " + wanted + ", is " + got);
        }
    }
}
