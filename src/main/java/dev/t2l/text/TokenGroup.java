package dev.t2l.text;

import java.lang.Character.UnicodeScript;
import java.util.EnumSet;
import java.util.Set;
import java.util.regex.Pattern;

/** Tokens of a WordPiece vocabulary that an export may leave out, with their rows of the embedding table. */
public enum TokenGroup {
    /** {@code [unused0]} and its like, which stand for nothing. */
    UNUSED {
        @Override
        boolean has(String token) {
            return UNUSED_NAME.matcher(token).matches();
        }
    },
    /** Those with a character that belongs to another script than Latin; digits, punctuation and symbols belong to none. Texts in these scripts become [UNK]. */
    NON_LATIN {
        @Override
        boolean has(String token) {
            return token.codePoints().anyMatch(c -> !LATIN.contains(UnicodeScript.of(c)));
        }
    };

    private static final Pattern UNUSED_NAME = Pattern.compile("\\[unused\\d+]");
    private static final Set<UnicodeScript> LATIN = EnumSet.of(UnicodeScript.LATIN, UnicodeScript.COMMON, UnicodeScript.INHERITED);

    /** @param token in the spelling of vocab.txt */
    abstract boolean has(String token);
}
