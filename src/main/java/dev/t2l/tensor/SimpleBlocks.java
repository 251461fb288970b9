package dev.t2l.tensor;

import static dev.t2l.tensor.Blocks.half;
import static dev.t2l.tensor.Blocks.i32;
import static dev.t2l.tensor.Blocks.nibble;

/**
 * Blocks of 32 elements with one scale. In the four- and five-bit ones, byte i holds element i below and element i + 16 above.
 */
final class SimpleBlocks {
    private static final int HALF = 16;
    /** The non-linear four-bit values of IQ4_NL and IQ4_XS. */
    static final byte[] NON_LINEAR = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    /** E2M1 values, doubled. */
    private static final byte[] E2M1 = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

    private SimpleBlocks() {
    }

    static void q40(byte[] block, float[] out, int at) {
        float d = half(block, 0);
        for (int i = 0; i < HALF; i++) {
            out[at + i] = d * (nibble(block, 2 + i, 0) - 8);
            out[at + i + HALF] = d * (nibble(block, 2 + i, 4) - 8);
        }
    }

    static void q41(byte[] block, float[] out, int at) {
        float d = half(block, 0);
        float m = half(block, 2);
        for (int i = 0; i < HALF; i++) {
            out[at + i] = d * nibble(block, 4 + i, 0) + m;
            out[at + i + HALF] = d * nibble(block, 4 + i, 4) + m;
        }
    }

    static void q50(byte[] block, float[] out, int at) {
        float d = half(block, 0);
        int high = i32(block, 2);
        for (int i = 0; i < HALF; i++) {
            out[at + i] = d * ((nibble(block, 6 + i, 0) | (high >> i & 1) << 4) - 16);
            out[at + i + HALF] = d * ((nibble(block, 6 + i, 4) | (high >> i + HALF & 1) << 4) - 16);
        }
    }

    static void q51(byte[] block, float[] out, int at) {
        float d = half(block, 0);
        float m = half(block, 2);
        int high = i32(block, 4);
        for (int i = 0; i < HALF; i++) {
            out[at + i] = d * (nibble(block, 8 + i, 0) | (high >> i & 1) << 4) + m;
            out[at + i + HALF] = d * (nibble(block, 8 + i, 4) | (high >> i + HALF & 1) << 4) + m;
        }
    }

    static void q80(byte[] block, float[] out, int at) {
        bytes(half(block, 0), block, 2, out, at);
    }

    /** As Q8_0; the sum after the scale serves products only. */
    static void q81(byte[] block, float[] out, int at) {
        bytes(half(block, 0), block, 4, out, at);
    }

    private static void bytes(float d, byte[] block, int from, float[] out, int at) {
        for (int i = 0; i < 2 * HALF; i++) {
            out[at + i] = d * block[from + i];
        }
    }

    static void iq4nl(byte[] block, float[] out, int at) {
        table(half(block, 0), NON_LINEAR, block, 2, out, at);
    }

    static void mxfp4(byte[] block, float[] out, int at) {
        int e = block[0] & 0xff; // half of 2^(e - 127), for the values are doubled
        table(Math.scalb(1f, e - 128), E2M1, block, 1, out, at);
    }

    /** 32 elements: {@code d} times the table's entry. */
    static void table(float d, byte[] values, byte[] block, int from, float[] out, int at) {
        for (int i = 0; i < HALF; i++) {
            out[at + i] = d * values[nibble(block, from + i, 0)];
            out[at + i + HALF] = d * values[nibble(block, from + i, 4)];
        }
    }
}
