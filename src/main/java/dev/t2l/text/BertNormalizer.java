package dev.t2l.text;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;

/**
 * BERT's text cleaning and splitting ({@code BertNormalizer} and {@code BertPreTokenizer} of Hugging Face tokenizers).
 *
 * @param lowerCase    lower-cases each character
 * @param stripAccents decomposes (NFD) and drops non-spacing marks
 * @param isolateCjk   puts spaces around CJK ideographs
 */
record BertNormalizer(boolean lowerCase, boolean stripAccents, boolean isolateCjk) {
    String apply(String text) {
        StringBuilder clean = new StringBuilder(text.length() + 16);
        text.codePoints().forEach(c -> appendClean(c, clean));
        String out = clean.toString();
        if (stripAccents) {
            StringBuilder bare = new StringBuilder(out.length());
            Normalizer.normalize(out, Normalizer.Form.NFD).codePoints().filter(c -> Character.getType(c) != Character.NON_SPACING_MARK).forEach(bare::appendCodePoint);
            out = bare.toString();
        }
        if (lowerCase) {
            StringBuilder lower = new StringBuilder(out.length());
            out.codePoints().forEach(c -> appendLower(c, lower));
            out = lower.toString();
        }
        return out;
    }

    private void appendClean(int c, StringBuilder out) {
        boolean lineOrTab = c == '\t' || c == '\n' || c == '\r';
        if (c == 0 || c == 0xFFFD || !lineOrTab && isControl(c)) {
            return;
        }
        if (Whitespace.is(c)) {
            out.append(' ');
        } else if (isolateCjk && isIdeograph(c)) {
            out.append(' ').appendCodePoint(c).append(' ');
        } else {
            out.appendCodePoint(c);
        }
    }

    /** Without the context rule of the final sigma; U+0130 is the only character with a longer lower case. */
    private static void appendLower(int c, StringBuilder out) {
        if (c == 0x130) {
            out.append("i\u0307");
        } else {
            out.appendCodePoint(Character.toLowerCase(c));
        }
    }

    private static boolean isControl(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.PRIVATE_USE, Character.SURROGATE -> true;
            default -> false;
        };
    }

    /** The peers' ranges, of which the sixth starts 0x100 later than the block it means. */
    private static boolean isIdeograph(int c) {
        return c >= 0x4E00 && c <= 0x9FFF || c >= 0x3400 && c <= 0x4DBF || c >= 0x20000 && c <= 0x2A6DF || c >= 0x2A700 && c <= 0x2B73F
                || c >= 0x2B740 && c <= 0x2B81F || c >= 0x2B920 && c <= 0x2CEAF || c >= 0xF900 && c <= 0xFAFF || c >= 0x2F800 && c <= 0x2FA1F;
    }

    /** Words of a normalised text: white space is dropped, every punctuation mark stands alone. */
    static List<String> words(String text) {
        List<String> words = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < text.length();) {
            int c = text.codePointAt(i);
            int next = i + Character.charCount(c);
            boolean space = Whitespace.is(c);
            if (space || isPunctuation(c)) {
                if (i > start) {
                    words.add(text.substring(start, i));
                }
                if (!space) {
                    words.add(text.substring(i, next));
                }
                start = next;
            }
            i = next;
        }
        if (start < text.length()) {
            words.add(text.substring(start));
        }
        return words;
    }

    private static boolean isPunctuation(int c) {
        if (c >= '!' && c <= '/' || c >= ':' && c <= '@' || c >= '[' && c <= '`' || c >= '{' && c <= '~') {
            return true;
        }
        return switch (Character.getType(c)) {
            case Character.CONNECTOR_PUNCTUATION, Character.DASH_PUNCTUATION, Character.START_PUNCTUATION, Character.END_PUNCTUATION,
                 Character.INITIAL_QUOTE_PUNCTUATION, Character.FINAL_QUOTE_PUNCTUATION, Character.OTHER_PUNCTUATION -> true;
            default -> false;
        };
    }
}
