package dev.t2l.text;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * SentencePiece's {@code precompiled_charsmap}: u32 size of a double-array trie in bytes (little-endian), the trie's u32 units (layout of
 * darts-clone), then the replacements, each ended by a zero byte. The longest key at a place is replaced.
 */
final class CharacterMap {
    private final int[] units;
    private final byte[] replacements;

    /** @throws IllegalArgumentException if the sizes do not fit */
    CharacterMap(byte[] blob) {
        ByteBuffer in = ByteBuffer.wrap(blob).order(ByteOrder.LITTLE_ENDIAN);
        if (blob.length < 4) {
            throw new IllegalArgumentException("precompiled_charsmap: wanted at least 4 bytes, found " + blob.length);
        }
        long size = Integer.toUnsignedLong(in.getInt());
        if (size == 0 || size % 4 != 0 || size > in.remaining()) {
            throw new IllegalArgumentException("precompiled_charsmap: a trie of " + size + " bytes does not fit into " + in.remaining());
        }
        units = new int[(int) (size / 4)];
        in.asIntBuffer().get(units);
        replacements = new byte[blob.length - 4 - (int) size];
        in.position(4 + (int) size).get(replacements);
    }

    String apply(String text) {
        byte[] in = text.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream out = new ByteArrayOutputStream(in.length);
        int at = 0;
        while (at < in.length) {
            long match = longest(in, at);
            if (match >= 0) {
                int from = (int) match;
                int to = from;
                while (to < replacements.length && replacements[to] != 0) {
                    to++;
                }
                out.write(replacements, from, to - from);
                at += (int) (match >>> 32);
            } else {
                int length = characterLength(in[at]);
                out.write(in, at, length);
                at += length;
            }
        }
        return out.toString(StandardCharsets.UTF_8);
    }

    /** Length of the longest key in the upper, offset of its replacement in the lower 32 bits; -1 without one. */
    private long longest(byte[] in, int from) {
        long found = -1;
        int node = offset(units[0]);
        for (int i = from; i < in.length; i++) {
            int label = in[i] & 0xFF;
            node ^= label;
            if (node < 0 || node >= units.length || (units[node] & (1 << 31 | 0xFF)) != label) {
                break;
            }
            boolean hasValue = (units[node] >>> 8 & 1) == 1;
            node ^= offset(units[node]);
            if (hasValue && node >= 0 && node < units.length) {
                found = (long) (i + 1 - from) << 32 | units[node] & Integer.MAX_VALUE;
            }
        }
        return found;
    }

    private static int offset(int unit) {
        return unit >>> 10 << ((unit & 1 << 9) >>> 6);
    }

    private static int characterLength(byte lead) {
        int b = lead & 0xFF;
        return b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
    }
}
