package dev.t2l.text;

/** The text that one token stands for, as UTF-8 bytes, since a token may hold part of a character. */
interface PieceText {
    /**
     * @param id      the token
     * @param atStart nothing has been decoded yet, where a SentencePiece word-start gives no space
     */
    byte[] bytes(int id, boolean atStart);

    /** Whether the start lasts until a token gives some bytes; else any token ends it. */
    default boolean startLastsUntilText() {
        return false;
    }
}
