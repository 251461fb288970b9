package dev.t2l.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Block-quantised formats of GGUF, dequantised with f32 arithmetic in the order of ggml's reference. */
public final class Blocks {

    /** Decodes one block. */
    @FunctionalInterface
    interface Decoder {
        /** From {@code block[0 ...]} into {@code out[at ...]}. */
        void decode(byte[] block, float[] out, int at);
    }

    private Blocks() {
    }

    /**
     * {@code n} elements (a whole number of blocks) that start at byte {@code from} of {@code data}, into {@code out[offset ...]}.
     *
     * @throws IllegalArgumentException if the type is no block-quantised one
     */
    public static void dequantise(DType dtype, MemorySegment data, long from, float[] out, int offset, int n) {
        if (n % dtype.blockSize() != 0) {
            throw new IllegalArgumentException(n + " elements are no whole number of " + dtype + " blocks of " + dtype.blockSize());
        }
        Decoder decoder = decoder(dtype);
        byte[] blocks = new byte[Math.toIntExact(dtype.bytes(n))];
        MemorySegment.copy(data, ValueLayout.JAVA_BYTE, from, blocks, 0, blocks.length);
        byte[] block = new byte[dtype.blockBytes()];
        for (int i = 0, at = 0; i < n; i += dtype.blockSize(), at += block.length) {
            System.arraycopy(blocks, at, block, 0, block.length);
            decoder.decode(block, out, offset + i);
        }
    }

    private static Decoder decoder(DType dtype) {
        return switch (dtype) {
            case Q4_0 -> SimpleBlocks::q40;
            case Q4_1 -> SimpleBlocks::q41;
            case Q5_0 -> SimpleBlocks::q50;
            case Q5_1 -> SimpleBlocks::q51;
            case Q8_0 -> SimpleBlocks::q80;
            case Q8_1 -> SimpleBlocks::q81;
            case IQ4_NL -> SimpleBlocks::iq4nl;
            case MXFP4 -> SimpleBlocks::mxfp4;
            case Q2_K -> SuperBlocks::q2k;
            case Q3_K -> SuperBlocks::q3k;
            case Q4_K -> SuperBlocks::q4k;
            case Q5_K -> SuperBlocks::q5k;
            case Q6_K -> SuperBlocks::q6k;
            case Q8_K -> SuperBlocks::q8k;
            case IQ4_XS -> SuperBlocks::iq4xs;
            case TQ1_0 -> TernaryBlocks::tq10;
            case TQ2_0 -> TernaryBlocks::tq20;
            case IQ1_S -> CodebookBlocks::iq1s;
            case IQ1_M -> CodebookBlocks::iq1m;
            case IQ2_XXS -> CodebookBlocks::iq2xxs;
            case IQ2_XS -> CodebookBlocks::iq2xs;
            case IQ2_S -> CodebookBlocks::iq2s;
            case IQ3_XXS -> CodebookBlocks::iq3xxs;
            case IQ3_S -> CodebookBlocks::iq3s;
            default -> throw new IllegalArgumentException(dtype + " is no block-quantised type");
        };
    }

    /** The little-endian 16 bits at {@code block[at]}. */
    static int u16(byte[] block, int at) {
        return block[at] & 0xff | (block[at + 1] & 0xff) << 8;
    }

    /** The little-endian 32 bits at {@code block[at]}. */
    static int i32(byte[] block, int at) {
        return u16(block, at) | u16(block, at + 2) << 16;
    }

    /** The f16 at {@code block[at]}. */
    static float half(byte[] block, int at) {
        return Float.float16ToFloat((short) u16(block, at));
    }

    /** The half-byte of {@code block[at]} that begins at bit {@code shift}. */
    static int nibble(byte[] block, int at, int shift) {
        return block[at] >> shift & 15;
    }
}
