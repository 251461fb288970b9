package dev.t2l.tensor;

/**
 * Element types, plain and block-quantised.
 *
 * <p>Plain types are one element a block. The block-quantised ones are those of the GGUF file format (ggml): a block of
 * {@link #blockSize} consecutive elements of a row is stored in {@link #blockBytes} bytes, so a row must be a whole number
 * of blocks.
 */
public enum DType {
    F64(1, 8), F32(1, 4), F16(1, 2), BF16(1, 2), F8_E4M3(1, 1), F8_E5M2(1, 1),
    I64(1, 8), I32(1, 4), I16(1, 2), I8(1, 1), U64(1, 8), U32(1, 4), U16(1, 2), U8(1, 1), BOOL(1, 1),
    Q4_0(32, 18), Q4_1(32, 20), Q5_0(32, 22), Q5_1(32, 24), Q8_0(32, 34), Q8_1(32, 36),
    Q2_K(256, 84), Q3_K(256, 110), Q4_K(256, 144), Q5_K(256, 176), Q6_K(256, 210), Q8_K(256, 292),
    IQ1_S(256, 50), IQ1_M(256, 56), IQ2_XXS(256, 66), IQ2_XS(256, 74), IQ2_S(256, 82),
    IQ3_XXS(256, 98), IQ3_S(256, 110), IQ4_NL(32, 18), IQ4_XS(256, 136),
    TQ1_0(256, 54), TQ2_0(256, 66), MXFP4(32, 17),
    F8_E8M0(1, 1), F8_E4M3FNUZ(1, 1), F8_E5M2FNUZ(1, 1), C64(1, 8);

    private final int blockSize;
    private final int blockBytes;

    DType(int blockSize, int blockBytes) {
        this.blockSize = blockSize;
        this.blockBytes = blockBytes;
    }

    /** Elements a block; 1 for plain types. */
    public int blockSize() {
        return blockSize;
    }

    /** Bytes a block. */
    public int blockBytes() {
        return blockBytes;
    }

    public boolean quantised() {
        return blockSize > 1;
    }

    /**
     * Bytes of {@code elements} consecutive elements.
     *
     * @throws IllegalArgumentException if they are no whole number of blocks
     * @throws ArithmeticException if the size does not fit a long
     */
    public long bytes(long elements) {
        if (elements % blockSize != 0) {
            throw new IllegalArgumentException(elements + " elements are no whole number of " + this + " blocks of " + blockSize);
        }
        return Math.multiplyExact(elements / blockSize, blockBytes);
    }
}
