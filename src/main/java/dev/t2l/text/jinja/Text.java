package dev.t2l.text.jinja;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A string that knows which of its characters are data, given by a caller, and which a template wrote. Cutting and joining keep that for
 * each character; an operation that rewrites characters makes all of them data if one was. Equality looks at the characters only.
 */
public final class Text implements Comparable<Text> {
    static final Text EMPTY = new Text("", new int[0]);

    private final String value;
    /** Disjoint, rising [from, to) pairs. */
    private final int[] data;

    private Text(String value, int[] data) {
        this.value = value;
        this.data = data;
    }

    /** What a template wrote. */
    public static Text template(String value) {
        return new Text(value, new int[0]);
    }

    /** What a caller gave. */
    public static Text data(String value) {
        return of(value, true);
    }

    static Text of(String value, boolean isData) {
        return new Text(value, isData && !value.isEmpty() ? new int[] {0, value.length()} : new int[0]);
    }

    public String value() {
        return value;
    }

    public boolean hasData() {
        return data.length > 0;
    }

    int length() {
        return value.length();
    }

    boolean isEmpty() {
        return value.isEmpty();
    }

    /** Other characters made from these. */
    Text rewritten(String other) {
        return of(other, hasData());
    }

    /** UTF-16 offsets. */
    Text substring(int from, int to) {
        if (from == 0 && to == value.length()) {
            return this;
        }
        int[] ranges = new int[data.length];
        int n = 0;
        for (int i = 0; i < data.length; i += 2) {
            int start = Math.max(data[i], from);
            int end = Math.min(data[i + 1], to);
            if (start < end) {
                ranges[n++] = start - from;
                ranges[n++] = end - from;
            }
        }
        return new Text(value.substring(from, to), Arrays.copyOf(ranges, n));
    }

    Text concat(Text other) {
        return new Builder().append(this).append(other).build();
    }

    /** Number of code points, which is Python's length. */
    int points() {
        return value.codePointCount(0, value.length());
    }

    /** The UTF-16 offset of a code point. */
    int offset(int point) {
        return value.offsetByCodePoints(0, point);
    }

    Text point(int index) {
        int from = offset(index);
        return substring(from, from + Character.charCount(value.codePointAt(from)));
    }

    List<Object> characters() {
        List<Object> characters = new ArrayList<>();
        for (int i = 0; i < value.length();) {
            int next = i + Character.charCount(value.codePointAt(i));
            characters.add(substring(i, next));
            i = next;
        }
        return characters;
    }

    /** Runs of one origin, in order. */
    public List<Run> runs() {
        List<Run> runs = new ArrayList<>();
        int at = 0;
        for (int i = 0; i < data.length; i += 2) {
            if (data[i] > at) {
                runs.add(new Run(value.substring(at, data[i]), false));
            }
            runs.add(new Run(value.substring(data[i], data[i + 1]), true));
            at = data[i + 1];
        }
        if (at < value.length()) {
            runs.add(new Run(value.substring(at), false));
        }
        return runs;
    }

    /**
     * Characters of one origin.
     *
     * @param value  the characters
     * @param isData whether a caller gave them
     */
    public record Run(String value, boolean isData) {
    }

    @Override
    public int compareTo(Text other) {
        int[] mine = value.codePoints().toArray();
        int[] theirs = other.value.codePoints().toArray();
        return Arrays.compare(mine, theirs);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Text text && value.equals(text.value);
    }

    @Override
    public int hashCode() {
        return value.hashCode();
    }

    @Override
    public String toString() {
        return value;
    }

    /** Joins texts. */
    static final class Builder {
        private final StringBuilder value = new StringBuilder();
        private int[] data = new int[8];
        private int used;

        Builder append(Text text) {
            int base = value.length();
            for (int i = 0; i < text.data.length; i += 2) {
                mark(base + text.data[i], base + text.data[i + 1]);
            }
            value.append(text.value);
            return this;
        }

        Builder append(String text, boolean isData) {
            if (isData && !text.isEmpty()) {
                mark(value.length(), value.length() + text.length());
            }
            value.append(text);
            return this;
        }

        private void mark(int from, int to) {
            if (used > 0 && data[used - 1] == from) {
                data[used - 1] = to;
                return;
            }
            if (used == data.length) {
                data = Arrays.copyOf(data, used * 2);
            }
            data[used++] = from;
            data[used++] = to;
        }

        int length() {
            return value.length();
        }

        Text build() {
            return new Text(value.toString(), Arrays.copyOf(data, used));
        }
    }
}
