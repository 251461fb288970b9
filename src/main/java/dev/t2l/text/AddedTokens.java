package dev.t2l.text;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Finds added tokens in a text: leftmost first, of those the longest, as Hugging Face tokenizers do. Immutable. */
final class AddedTokens {
    /** A found token: {@code text[start, end)} including the white space it swallows. */
    record Match(int start, int end, AddedToken token) {
    }

    /** Whether a token may be read from {@code text[start, end)}. */
    interface Permission {
        /** Every token wherever it stands. */
        Permission ALL = (token, start, end) -> true;

        boolean allows(AddedToken token, int start, int end);

        /** Whether the token delimits parts of this prompt, so that it is never read where it is not allowed. */
        default boolean isMarker(AddedToken token) {
            return token.special();
        }
    }

    private final Map<Character, List<AddedToken>> byFirstChar = new HashMap<>();
    private final Map<Integer, AddedToken> byId = new TreeMap<>();

    AddedTokens(List<AddedToken> tokens) {
        for (AddedToken token : tokens) {
            byId.put(token.id(), token);
            if (!token.content().isEmpty()) {
                byFirstChar.computeIfAbsent(token.content().charAt(0), c -> new ArrayList<>()).add(token);
            }
        }
        for (List<AddedToken> sameStart : byFirstChar.values()) {
            sameStart.sort(Comparator.comparingInt(token -> -token.content().length()));
        }
    }

    List<AddedToken> all() {
        return List.copyOf(byId.values());
    }

    boolean isSpecial(int id) {
        AddedToken token = byId.get(id);
        return token != null && token.special();
    }

    List<Match> find(String text, Permission permission) {
        List<Match> found = new ArrayList<>();
        int done = 0;
        for (int i = 0; i < text.length(); i++) {
            AddedToken token = longestAt(text, i, permission);
            if (token == null) {
                continue;
            }
            int start = i;
            int end = i + token.content().length();
            if (token.leftStrip()) {
                while (start > done && Whitespace.is(text.codePointBefore(start))) {
                    start--;
                }
            }
            if (token.rightStrip()) {
                while (end < text.length() && Whitespace.is(text.codePointAt(end))) {
                    end++;
                }
            }
            found.add(new Match(start, end, token));
            done = end;
            i = end - 1;
        }
        return found;
    }

    private AddedToken longestAt(String text, int at, Permission permission) {
        List<AddedToken> candidates = byFirstChar.get(text.charAt(at));
        if (candidates == null) {
            return null;
        }
        for (AddedToken token : candidates) {
            int end = at + token.content().length();
            if (text.startsWith(token.content(), at) && permission.allows(token, at, end) && (!token.singleWord() || standsAlone(text, at, end))) {
                return token;
            }
        }
        return null;
    }

    private static boolean standsAlone(String text, int start, int end) {
        return (start == 0 || !isWord(text.codePointBefore(start))) && (end == text.length() || !isWord(text.codePointAt(end)));
    }

    private static boolean isWord(int codePoint) {
        return Character.isLetterOrDigit(codePoint) || codePoint == '_' || Character.getType(codePoint) == Character.NON_SPACING_MARK
                || Character.getType(codePoint) == Character.CONNECTOR_PUNCTUATION;
    }
}
