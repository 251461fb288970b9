package dev.t2l.tensor;

import static dev.t2l.tensor.Blocks.half;

/** Blocks of 256 elements that are -d, 0 or d. */
final class TernaryBlocks {
    private static final int[] POWERS_OF_3 = {1, 3, 9, 27, 81};

    private TernaryBlocks() {
    }

    /** Five ternary digits a byte in 48 bytes, four in 4 more, d. A byte is a fraction of 256: its digits come out at the top when multiplied. */
    static void tq10(byte[] block, float[] out, int at) {
        float d = half(block, 52);
        at = digits(block, 0, 32, 5, d, out, at);
        at = digits(block, 32, 16, 5, d, out, at);
        digits(block, 48, 4, 4, d, out, at);
    }

    private static int digits(byte[] block, int from, int bytes, int digits, float d, float[] out, int at) {
        for (int digit = 0; digit < digits; digit++) {
            for (int i = 0; i < bytes; i++) {
                int fraction = block[from + i] * POWERS_OF_3[digit] & 0xff;
                out[at++] = d * ((fraction * 3 >> 8) - 1);
            }
        }
        return at;
    }

    /** Two bits an element, 32 elements to each pair of bits; d. */
    static void tq20(byte[] block, float[] out, int at) {
        float d = half(block, 64);
        for (int i = 0; i < 256; i++) {
            out[at + i] = d * ((block[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3) - 1);
        }
    }
}
