package dev.t2l.text;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * SentencePiece's {@code NormalizerSpec}: replaces characters by its table, then spaces by U+2581.
 *
 * @param characters             the table; null keeps every character
 * @param addPrefix              a space before a text
 * @param removeExtraWhitespaces no space at the ends, one between words
 * @param escapeWhitespaces      U+2581 for a space
 */
record SentencePieceNormalizer(CharacterMap characters, boolean addPrefix, boolean removeExtraWhitespaces, boolean escapeWhitespaces) {
    static final char SPACE = '\u2581';

    /**
     * @param text        a text or what lies between two control tokens of one
     * @param atStart     whether it gets the prefix, if texts get one
     * @param userDefined tokens that the table leaves alone
     */
    String apply(String text, boolean atStart, List<AddedTokens.Match> userDefined) {
        String mapped = characters == null ? text : map(text, userDefined);
        String spaced = removeExtraWhitespaces ? collapse(mapped) : mapped;
        if (text.isEmpty() || removeExtraWhitespaces && spaced.isEmpty()) {
            return "";
        }
        String prefixed = addPrefix && atStart ? " " + spaced : spaced;
        return escapeWhitespaces ? prefixed.replace(' ', SPACE) : prefixed;
    }

    private String map(String text, List<AddedTokens.Match> userDefined) {
        StringBuilder mapped = new StringBuilder(text.length());
        int done = 0;
        for (AddedTokens.Match match : userDefined) {
            mapped.append(characters.apply(text.substring(done, match.start()))).append(text, match.start(), match.end());
            done = match.end();
        }
        return mapped.append(characters.apply(text.substring(done))).toString();
    }

    private static String collapse(String text) {
        StringBuilder out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean afterSpace = out.isEmpty() || out.charAt(out.length() - 1) == ' ';
            if (c != ' ' || !afterSpace) {
                out.append(c);
            }
        }
        int end = out.length();
        while (end > 0 && (out.charAt(end - 1) == ' ' || out.charAt(end - 1) == SPACE)) {
            end--;
        }
        return out.substring(0, end);
    }

    /** The bytes of a piece as read in a text. */
    byte[] surface(String piece, boolean atStart) {
        String text = piece;
        if (atStart && (addPrefix || removeExtraWhitespaces) && !text.isEmpty() && text.charAt(0) == SPACE) {
            text = text.substring(1);
        }
        return text.replace(SPACE, ' ').getBytes(StandardCharsets.UTF_8);
    }
}
