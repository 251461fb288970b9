package dev.t2l.text;

import java.util.function.IntPredicate;

/**
 * Token ids to text, one at a time, for one generation by one thread. Text is given out as soon as it is whole: the bytes of a character
 * that spans tokens are held back until its last one. What {@link #next} and {@link #finish} return, joined, is
 * {@link Tokenizer#decode(int[], boolean)} of the same ids. Bytes that can never become a character give U+FFFD, one for each
 * longest start of a character, as Unicode recommends (chapter 3, "U+FFFD substitution of maximal subparts").
 */
public final class StreamingDecoder {
    private final PieceText pieces;
    private final IntPredicate skipped;
    private final Utf8Stream utf8 = new Utf8Stream();
    private boolean atStart = true;

    StreamingDecoder(PieceText pieces, IntPredicate skipped) {
        this.pieces = pieces;
        this.skipped = skipped;
    }

    /** The text that this token completes; often a word, empty for part of a character or a skipped control token. */
    public String next(int id) {
        if (skipped.test(id)) {
            return "";
        }
        byte[] bytes = pieces.bytes(id, atStart);
        atStart &= bytes.length == 0 && pieces.startLastsUntilText();
        return utf8.next(bytes);
    }

    /** What was held back when the last token had come; the decoder then starts anew. */
    public String finish() {
        atStart = true;
        return utf8.finish();
    }
}
