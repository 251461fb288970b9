package dev.t2l.model;

import java.util.Arrays;

/** Texts as token ids, packed one after another: row r of the batch is one token. There is no padding but what {@link #padded} asks for, at the end. */
public final class TokenBatch {
    private final int[][] ids;
    private final int[][] types;
    private final int rows;

    private TokenBatch(int[][] ids, int[][] types) {
        this(ids, types, Math.toIntExact(Arrays.stream(ids).mapToLong(text -> text.length).sum()));
        if (ids.length == 0 || types != null && types.length != ids.length) {
            throw new IllegalArgumentException("a batch of " + ids.length + " texts" + (types == null ? "" : " with types of " + types.length));
        }
        for (int i = 0; i < ids.length; i++) {
            if (ids[i].length == 0 || types != null && types[i].length != ids[i].length) {
                throw new IllegalArgumentException("text " + i + " has " + ids[i].length + " tokens"
                        + (types == null ? "" : " and " + types[i].length + " types") + "; an encoder needs at least one token, and a type for each");
            }
        }
    }

    private TokenBatch(int[][] ids, int[][] types, int rows) {
        this.ids = ids;
        this.types = types;
        this.rows = rows;
    }

    /** Texts whose token types are all 0. */
    public static TokenBatch of(int[]... ids) {
        return new TokenBatch(ids, null);
    }

    /**
     * @param types the token types (segments), a text at a time, as long as its ids
     * @throws IllegalArgumentException if a text is empty or its types have another length
     */
    public static TokenBatch withTypes(int[][] ids, int[][] types) {
        return new TokenBatch(ids, types);
    }

    /**
     * The same texts, and rows after them that attend to row 0 alone and that no token attends to.
     *
     * @throws IllegalArgumentException if the texts have more rows
     */
    TokenBatch padded(int toRows) {
        if (toRows < rows) {
            throw new IllegalArgumentException(rows + " tokens cannot be padded to " + toRows);
        }
        return new TokenBatch(ids, types, toRows);
    }

    public int texts() {
        return ids.length;
    }

    /** Tokens of all texts, and padding. */
    public int rows() {
        return rows;
    }

    int[] packedIds() {
        return pack(ids);
    }

    int[] packedTypes() {
        return types == null ? new int[rows] : pack(types);
    }

    private int[] pack(int[][] texts) {
        return Arrays.copyOf(Arrays.stream(texts).flatMapToInt(Arrays::stream).toArray(), rows);
    }

    /** i32 [rows]: each token's place in its text. */
    int[] positions() {
        int[] positions = new int[rows];
        int row = 0;
        for (int[] text : ids) {
            for (int p = 0; p < text.length; p++) {
                positions[row++] = p;
            }
        }
        return positions;
    }

    /** i32 [texts, 2]: each text's first row, and last row + 1. */
    int[] spans() {
        int[] spans = new int[2 * ids.length];
        int row = 0;
        for (int i = 0; i < ids.length; i++) {
            spans[2 * i] = row;
            row += ids[i].length;
            spans[2 * i + 1] = row;
        }
        return spans;
    }

    /** i32 [rows, 2]: for each token the rows it attends to, those of its own text; for padding row 0. */
    int[] ranges() {
        int[] spans = spans();
        int[] ranges = new int[2 * rows];
        for (int row = spans[spans.length - 1]; row < rows; row++) {
            ranges[2 * row + 1] = 1;
        }
        for (int i = 0; i < ids.length; i++) {
            for (int row = spans[2 * i]; row < spans[2 * i + 1]; row++) {
                ranges[2 * row] = spans[2 * i];
                ranges[2 * row + 1] = spans[2 * i + 1];
            }
        }
        return ranges;
    }

    /**
     * Checks what the kernels do not.
     *
     * @param vocabulary rows of the word table
     * @param typeCount  rows of the token type table; without one every type must be 0
     * @param positions  the most tokens a text may have
     * @throws IllegalArgumentException if a text does not fit the encoder
     */
    void check(int vocabulary, int typeCount, int positions) {
        for (int i = 0; i < ids.length; i++) {
            if (ids[i].length > positions) {
                throw new IllegalArgumentException("text " + i + " has " + ids[i].length + " tokens, the encoder takes at most " + positions + "; HINT: truncate it");
            }
            below(ids[i], vocabulary, "token id", i);
            if (types != null) {
                below(types[i], Math.max(1, typeCount), "token type", i);
            }
        }
    }

    private static void below(int[] values, int bound, String what, int text) {
        for (int value : values) {
            if (value < 0 || value >= bound) {
                throw new IllegalArgumentException(what + " " + value + " in text " + text + " of the batch; the encoder has " + bound
                        + ". HINT: is the tokenizer the encoder's own?");
            }
        }
    }
}
