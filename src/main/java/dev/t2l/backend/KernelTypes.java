package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** The types that native kernels read as stored, by their numbers in {@code native/t2l.h} and {@code cuda/common.cuh}. */
final class KernelTypes {
    /** Of the numbers below. */
    static final int COUNT = 8;
    private static final String[] NAMES = {"f32", "f16", "bf16", "q4_0", "q4_1", "q8_0", "q4_k", "q6_k"};

    private KernelTypes() {
    }

    /** A number's type in the names of kernels. */
    static String name(int code) {
        return NAMES[code];
    }

    /** The number of a type; -1 if the kernels do not read it. */
    static int code(DType type) {
        return switch (type) {
            case F32 -> 0;
            case F16 -> 1;
            case BF16 -> 2;
            case Q4_0 -> 3;
            case Q4_1 -> 4;
            case Q8_0 -> 5;
            case Q4_K -> 6;
            case Q6_K -> 7;
            default -> -1;
        };
    }

    /** The number of a weight's type, for CUDA kernels that read elements of any. */
    static int require(String kernel, Tensor weight) {
        int code = code(weight.dtype());
        if (code < 0) {
            throw new IllegalArgumentException(kernel + ": no CUDA kernel reads " + weight + "; HINT: place() turns such weights into f32");
        }
        return code;
    }
}
