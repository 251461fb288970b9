package dev.t2l.model;

import dev.t2l.tensor.DType;

/** The types that a model's matrices are written in, with the number that GGUF has for such a file ({@code general.file_type}). */
public enum FileType {
    F32(DType.F32, 0), F16(DType.F16, 1), BF16(DType.BF16, 32), Q8_0(DType.Q8_0, 7), Q4_0(DType.Q4_0, 2), Q4_1(DType.Q4_1, 3),
    Q5_0(DType.Q5_0, 8), Q5_1(DType.Q5_1, 9);

    private final DType dtype;
    private final int number;

    FileType(DType dtype, int number) {
        this.dtype = dtype;
        this.number = number;
    }

    public DType dtype() {
        return dtype;
    }

    int number() {
        return number;
    }
}
