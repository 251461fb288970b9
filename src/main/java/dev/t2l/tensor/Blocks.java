package dev.t2l.tensor;

import java.lang.foreign.MemorySegment;

/** Block-quantised formats of GGUF, dequantised. */
public final class Blocks {
    private Blocks() {
    }

    /**
     * {@code n} elements (a whole number of blocks) that start at byte {@code from} of {@code data}, into {@code out[offset ...]}.
     */
    public static void dequantise(DType dtype, MemorySegment data, long from, float[] out, int offset, int n) {
        throw new IllegalArgumentException("cannot dequantise " + dtype);
    }
}
