package dev.t2l.tensor;

import static dev.t2l.tensor.Blocks.half;
import static dev.t2l.tensor.Blocks.i32;
import static dev.t2l.tensor.Blocks.nibble;
import static dev.t2l.tensor.Blocks.u16;

/** Blocks of 256 elements whose parts of 16 or 32 have scales of their own, themselves quantised. */
final class SuperBlocks {
    private static final int SIZE = 256;

    private SuperBlocks() {
    }

    /** scales[16] (low half scale, high half minimum), two-bit values[64], d, dmin. */
    static void q2k(byte[] block, float[] out, int at) {
        float d = half(block, 80);
        float dmin = half(block, 82);
        for (int part = 0; part < 16; part++) {
            float scale = d * nibble(block, part, 0);
            float minimum = dmin * nibble(block, part, 4);
            for (int i = 0; i < 16; i++) {
                out[at++] = scale * twoBits(block, 16, part * 16 + i) - minimum;
            }
        }
    }

    /** High bits[32], two-bit values[64], 16 six-bit scales in 12 bytes, d. A clear high bit takes 4 off. */
    static void q3k(byte[] block, float[] out, int at) {
        float d = half(block, 108);
        for (int part = 0; part < 16; part++) {
            int low = nibble(block, 96 + part % 8, part / 8 * 4);
            int high = block[104 + part % 4] >> part / 4 * 2 & 3;
            float scale = d * ((low | high << 4) - 32);
            for (int i = part * 16; i < part * 16 + 16; i++) {
                int minus = (block[i % 32] >> i / 32 & 1) == 1 ? 0 : 4;
                out[at + i] = scale * (twoBits(block, 32, i) - minus);
            }
        }
    }

    /** Element {@code i} of 256 two-bit values: 128 in 32 bytes, 32 to each pair of bits. */
    private static int twoBits(byte[] block, int from, int i) {
        return block[from + i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
    }

    /** d, dmin, 8 six-bit scales and minima in 12 bytes, four-bit values[128]. */
    static void q4k(byte[] block, float[] out, int at) {
        float d = half(block, 0);
        float dmin = half(block, 2);
        for (int part = 0; part < 8; part++) {
            float scale = d * scaleOf(block, part);
            float minimum = dmin * minimumOf(block, part);
            for (int i = 0; i < 32; i++) {
                out[at++] = scale * nibble(block, 16 + part / 2 * 32 + i, part % 2 * 4) - minimum;
            }
        }
    }

    /** d, dmin, scales and minima as in Q4_K, fifth bits[32], four-bit values[128]. */
    static void q5k(byte[] block, float[] out, int at) {
        float d = half(block, 0);
        float dmin = half(block, 2);
        for (int part = 0; part < 8; part++) {
            float scale = d * scaleOf(block, part);
            float minimum = dmin * minimumOf(block, part);
            for (int i = 0; i < 32; i++) {
                int q = nibble(block, 48 + part / 2 * 32 + i, part % 2 * 4) | (block[16 + i] >> part & 1) << 4;
                out[at++] = scale * q - minimum;
            }
        }
    }

    /** Six bits: whole in bytes 4..8, or four in 12..16 with two on top of 4..8. */
    private static int scaleOf(byte[] block, int part) {
        return part < 4 ? block[4 + part] & 63 : nibble(block, 8 + part, 0) | (block[part] & 0xc0) >> 2;
    }

    private static int minimumOf(byte[] block, int part) {
        return part < 4 ? block[8 + part] & 63 : nibble(block, 8 + part, 4) | (block[4 + part] & 0xc0) >> 2;
    }

    /** Low four bits[128], high two bits[64], signed scales[16], d. */
    static void q6k(byte[] block, float[] out, int at) {
        float d = half(block, 208);
        for (int i = 0; i < SIZE; i++) {
            int low = nibble(block, i / 128 * 64 + i % 64, i % 128 / 64 * 4);
            int high = twoBits(block, 128, i);
            out[at + i] = d * block[192 + i / 16] * ((low | high << 4) - 32);
        }
    }

    /** d as f32, values[256], sums that serve products only. */
    static void q8k(byte[] block, float[] out, int at) {
        float d = Float.intBitsToFloat(i32(block, 0));
        for (int i = 0; i < SIZE; i++) {
            out[at + i] = d * block[4 + i];
        }
    }

    /** d, high scale bits as u16, low scale half-bytes[4], four-bit values[128]. */
    static void iq4xs(byte[] block, float[] out, int at) {
        float d = half(block, 0);
        int high = u16(block, 2);
        for (int part = 0; part < 8; part++) {
            int scale = (nibble(block, 4 + part / 2, part % 2 * 4) | (high >> 2 * part & 3) << 4) - 32;
            SimpleBlocks.table(d * scale, SimpleBlocks.NON_LINEAR, block, 8 + part * 16, out, at + part * 32);
        }
    }
}
