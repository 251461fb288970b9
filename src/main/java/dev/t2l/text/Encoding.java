package dev.t2l.text;

import java.util.Arrays;

/**
 * Token ids as an encoder takes them, special tokens included.
 *
 * @param ids     [n] token ids
 * @param typeIds [n] 0 for the first text, 1 for the second where the tokeniser tells them apart
 */
public record Encoding(int[] ids, int[] typeIds) {
    public int length() {
        return ids.length;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Encoding o && Arrays.equals(ids, o.ids) && Arrays.equals(typeIds, o.typeIds);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(ids) + Arrays.hashCode(typeIds);
    }

    @Override
    public String toString() {
        return "Encoding[ids=" + Arrays.toString(ids) + ", typeIds=" + Arrays.toString(typeIds) + "]";
    }
}
