package dev.t2l.text;

/** Java strings may hold half a surrogate pair, which no UTF-8 spells. */
final class WellFormed {
    private WellFormed() {
    }

    /** The text with U+FFFD for every lone surrogate. */
    static String of(String text) {
        int i = 0;
        while (i < text.length()) {
            int codePoint = text.codePointAt(i);
            if (isSurrogate(codePoint)) {
                return replaced(text);
            }
            i += Character.charCount(codePoint);
        }
        return text;
    }

    private static String replaced(String text) {
        StringBuilder out = new StringBuilder(text.length());
        text.codePoints().forEach(c -> out.appendCodePoint(isSurrogate(c) ? 0xFFFD : c));
        return out.toString();
    }

    private static boolean isSurrogate(int codePoint) {
        return codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
    }
}
