package dev.t2l.text;

/** What a vocabulary entry is, with the numbers that SentencePiece ({@code ModelProto.SentencePiece.Type}) and GGUF share. */
enum TokenType {
    NORMAL(1),
    /** Stands for text that the vocabulary cannot spell. */
    UNKNOWN(2),
    /** Never read from plain text: {@code <s>}, {@code <|im_end|>}. */
    CONTROL(3),
    /** Taken whole wherever it stands in a text. */
    USER_DEFINED(4),
    /** Takes part in merging but is split again in the result. */
    UNUSED(5),
    /** {@code <0x00>} ... {@code <0xFF>}: one byte of UTF-8. */
    BYTE(6);

    private final int code;

    TokenType(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }

    /** @throws IllegalArgumentException for a number that is no token type */
    static TokenType of(long code) {
        for (TokenType type : values()) {
            if (type.code == code) {
                return type;
            }
        }
        throw new IllegalArgumentException("token type " + code + " is not one of 1 to 6");
    }
}
