package dev.t2l.text;

import java.util.Arrays;

/** Shortening a pair of texts together, by the rule of Hugging Face's {@code truncation="longest_first"}. */
public final class Truncation {
    /** The end at which tokens are dropped. */
    public enum Side { LEFT, RIGHT }

    /**
     * Two texts' ids.
     *
     * @param first  [n] ids of the first text
     * @param second [m] ids of the second text
     */
    public record Pair(int[] first, int[] second) {
        /** [n + m] both, one after the other. */
        public int[] ids() {
            int[] ids = Arrays.copyOf(first, first.length + second.length);
            System.arraycopy(second, 0, ids, first.length, second.length);
            return ids;
        }
    }

    private Truncation() {
    }

    /**
     * At most {@code maxLength} tokens together: the longer text loses tokens until both are equally long, then both do; of an odd
     * length the longer text (the second, if equal) keeps the one more.
     *
     * @throws IllegalArgumentException if {@code maxLength} is negative
     */
    public static Pair longestFirst(int[] first, int[] second, int maxLength, Side side) {
        if (maxLength < 0) {
            throw new IllegalArgumentException("maxLength: wanted 0 or more, got " + maxLength);
        }
        if ((long) first.length + second.length <= maxLength) {
            return new Pair(first, second);
        }
        int shorter = Math.min(first.length, second.length);
        int longer = maxLength - shorter;
        if (longer < shorter) {
            shorter = maxLength / 2;
            longer = maxLength - shorter;
        }
        boolean firstIsLonger = first.length > second.length;
        return new Pair(cut(first, firstIsLonger ? longer : shorter, side), cut(second, firstIsLonger ? shorter : longer, side));
    }

    /** At most {@code maxLength} of the ids. */
    public static int[] cut(int[] ids, int maxLength, Side side) {
        if (ids.length <= maxLength) {
            return ids;
        }
        return side == Side.LEFT ? Arrays.copyOfRange(ids, ids.length - maxLength, ids.length) : Arrays.copyOf(ids, maxLength);
    }
}
