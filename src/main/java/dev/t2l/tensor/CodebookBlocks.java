package dev.t2l.tensor;

import static dev.t2l.tensor.Blocks.half;
import static dev.t2l.tensor.Blocks.i32;
import static dev.t2l.tensor.Blocks.nibble;
import static dev.t2l.tensor.Blocks.u16;

/** Blocks of 256 elements whose groups of eight (or four) are words of a codebook, with scales and signs. */
final class CodebookBlocks {
    private static final float DELTA = 0.125f;

    private CodebookBlocks() {
    }

    /** d, then for each 32 elements four word numbers, and 32 bits of scale and sign numbers. */
    static void iq2xxs(byte[] block, float[] out, int at) {
        float d = half(block, 0);
        for (int part = 0; part < 8; part++) {
            int scaleAndSigns = i32(block, 2 + part * 8 + 4);
            float scale = d * (0.5f + (scaleAndSigns >>> 28)) * 0.25f;
            for (int word = 0; word < 4; word++, at += 8) {
                signed(scale, Codebook.IQ2_XXS, block[2 + part * 8 + word] & 0xff, evenSigns(scaleAndSigns >> 7 * word), out, at);
            }
        }
    }

    /** d, 32 numbers of word (9 bits) and signs (7 bits), half-byte scales of 16 elements. */
    static void iq2xs(byte[] block, float[] out, int at) {
        float d = half(block, 0);
        for (int word = 0; word < 32; word++, at += 8) {
            int q = u16(block, 2 + word * 2);
            float scale = d * (0.5f + nibble(block, 66 + word / 4, word / 2 % 2 * 4)) * 0.25f;
            signed(scale, Codebook.IQ2_XS, q & 511, evenSigns(q >> 9), out, at);
        }
    }

    /** d, low word numbers[32], signs[32], high word bits[8], half-byte scales of 16 elements. */
    static void iq2s(byte[] block, float[] out, int at) {
        float d = half(block, 0);
        for (int word = 0; word < 32; word++, at += 8) {
            int number = block[2 + word] & 0xff | (block[66 + word / 4] >> word % 4 * 2 & 3) << 8;
            float scale = d * (0.5f + nibble(block, 74 + word / 4, word / 2 % 2 * 4)) * 0.25f;
            signed(scale, Codebook.IQ2_S, number, block[34 + word], out, at);
        }
    }

    /** d, word numbers[64] (four elements each), then for each 32 elements 32 bits of scale and sign numbers. */
    static void iq3xxs(byte[] block, float[] out, int at) {
        float d = half(block, 0);
        for (int pair = 0; pair < 32; pair++, at += 8) {
            int scaleAndSigns = i32(block, 66 + pair / 4 * 4);
            float scale = d * (0.5f + (scaleAndSigns >>> 28)) * 0.5f;
            int signs = evenSigns(scaleAndSigns >> 7 * (pair % 4));
            signed(scale, Codebook.IQ3_XXS, block[2 + pair * 2] & 0xff, signs, out, at);
            signed(scale, Codebook.IQ3_XXS, block[3 + pair * 2] & 0xff, signs >> 4, out, at + 4);
        }
    }

    /** d, low word numbers[64] (four elements each), high word bits[8], signs[32], half-byte scales of 32 elements. */
    static void iq3s(byte[] block, float[] out, int at) {
        float d = half(block, 0);
        for (int word = 0; word < 64; word++, at += 4) {
            int number = block[2 + word] & 0xff | (block[66 + word / 8] >> word % 8 & 1) << 8;
            float scale = d * (1 + 2 * nibble(block, 106 + word / 16, word / 8 % 2 * 4));
            signed(scale, Codebook.IQ3_S, number, block[74 + word / 2] >> word % 2 * 4, out, at);
        }
    }

    /** d, low word numbers[32], then for each 32 elements 16 bits: high word bits, scale, sign of the shift. */
    static void iq1s(byte[] block, float[] out, int at) {
        float d = half(block, 0);
        for (int word = 0; word < 32; word++, at += 8) {
            int high = u16(block, 34 + word / 4 * 2);
            int number = block[2 + word] & 0xff | (high >> word % 4 * 3 & 7) << 8;
            float scale = d * (2 * (high >> 12 & 7) + 1);
            shifted(scale, number, (high & 0x8000) == 0 ? DELTA : -DELTA, out, at);
        }
    }

    /** Low word numbers[32], half-bytes[32] of high word bits and sign of the shift, three-bit scales of 16 elements; d in the top bits of the scales. */
    static void iq1m(byte[] block, float[] out, int at) {
        int bits = u16(block, 48) >> 12 | u16(block, 50) >> 8 & 0xf0 | u16(block, 52) >> 4 & 0xf00 | u16(block, 54) & 0xf000;
        float d = Float.float16ToFloat((short) bits);
        for (int word = 0; word < 32; word++, at += 8) {
            int high = nibble(block, 32 + word / 2, word % 2 * 4);
            int number = block[word] & 0xff | (high & 7) << 8;
            float scale = d * (2 * (u16(block, 48 + word / 8 * 2) >> word / 2 % 4 * 3 & 7) + 1);
            shifted(scale, number, (high & 8) == 0 ? DELTA : -DELTA, out, at);
        }
    }

    /** Seven signs as stored; the eighth makes the number of minuses even. */
    private static int evenSigns(int stored) {
        int seven = stored & 127;
        return seven | (Integer.bitCount(seven) & 1) << 7;
    }

    private static void signed(float scale, Codebook book, int word, int signs, float[] out, int at) {
        for (int i = 0; i < book.length(); i++) {
            float value = scale * book.element(word, i);
            out[at + i] = (signs >> i & 1) == 0 ? value : -value;
        }
    }

    private static void shifted(float scale, int word, float delta, float[] out, int at) {
        for (int i = 0; i < 8; i++) {
            out[at + i] = scale * (Codebook.IQ1.element(word, i) + delta);
        }
    }
}
