package dev.t2l.tensor;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/**
 * The words that ggml's IQ formats choose from: fixed by the file format, as published in ggml-common.h and gguf-py.
 * Stored in {@code codebooks.bin}, one little-endian u16 a word: eight elements of two bits, or four of four bits (element 0 lowest),
 * each the number of a {@link #levels level}; the books follow each other in the order of this enum.
 */
enum Codebook {
    IQ2_XXS(256, 8, 0x08, 0x19, 0x2b), IQ2_XS(512, 8, 0x08, 0x19, 0x2b), IQ2_S(1024, 8, 0x08, 0x19, 0x2b),
    IQ3_XXS(256, 4, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3e), IQ3_S(512, 4, 0x01, 0x03, 0x05, 0x07, 0x09, 0x0b, 0x0d, 0x0f),
    IQ1(2048, 8, -1, 0, 1);

    private final int words;
    private final int length;
    private final int[] levels;
    private final byte[] elements;

    Codebook(int words, int length, int... levels) {
        this.words = words;
        this.length = length;
        this.levels = levels;
        this.elements = new byte[words * length];
    }

    static {
        try (InputStream in = Codebook.class.getResourceAsStream("codebooks.bin")) {
            for (Codebook book : values()) {
                book.unpack(in.readNBytes(2 * book.words));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void unpack(byte[] packed) {
        int bits = 16 / length;
        for (int i = 0; i < elements.length; i++) {
            int word = Blocks.u16(packed, i / length * 2);
            elements[i] = (byte) levels[word >> i % length * bits & (1 << bits) - 1];
        }
    }

    /** Elements a word. */
    int length() {
        return length;
    }

    int element(int word, int i) {
        return elements[word * length + i];
    }
}
