package dev.t2l.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The visible characters by which GPT-2's vocabulary spells bytes: a printable Latin-1 byte stands for itself, the others are
 * numbered from U+0100 on ({@code bytes_to_unicode} of GPT-2).
 */
final class ByteAlphabet {
    private static final char[] CHARACTERS = new char[256];
    private static final int[] BYTES = new int[512];

    static {
        Arrays.fill(BYTES, -1);
        int other = 0x100;
        for (int b = 0; b < 256; b++) {
            boolean printable = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
            CHARACTERS[b] = (char) (printable ? b : other++);
            BYTES[CHARACTERS[b]] = b;
        }
    }

    private ByteAlphabet() {
    }

    static char character(int unsignedByte) {
        return CHARACTERS[unsignedByte];
    }

    /** The bytes that a token spells; its own UTF-8 if it has a character outside the alphabet. */
    static byte[] decode(String token) {
        byte[] bytes = new byte[token.length()];
        for (int i = 0; i < bytes.length; i++) {
            char c = token.charAt(i);
            if (c >= BYTES.length || BYTES[c] < 0) {
                return token.getBytes(StandardCharsets.UTF_8);
            }
            bytes[i] = (byte) BYTES[c];
        }
        return bytes;
    }
}
