package dev.t2l.text.jinja;

import java.util.Locale;
import java.util.function.IntPredicate;

/** Python's view of characters: what is white space, and the case conversions of whole words. */
final class PythonText {
    private PythonText() {
    }

    /** {@code str.isspace}: White_Space and the four separators U+001C to U+001F. */
    static boolean isSpace(int c) {
        return c >= 0x09 && c <= 0x0D || c >= 0x1C && c <= 0x1F || c == 0x85 || Character.isSpaceChar(c);
    }

    /** {@code str.strip}: characters of a set, or white space if it is null, gone from the chosen ends. */
    static Text strip(Text text, String characters, boolean left, boolean right) {
        IntPredicate strips = characters == null ? PythonText::isSpace : c -> characters.indexOf(c) >= 0;
        String value = text.value();
        int from = 0;
        int to = value.length();
        while (left && from < to && strips.test(value.codePointAt(from))) {
            from += Character.charCount(value.codePointAt(from));
        }
        while (right && to > from && strips.test(value.codePointBefore(to))) {
            to -= Character.charCount(value.codePointBefore(to));
        }
        return text.substring(from, to);
    }

    /** {@code str.title}: a capital wherever a letter follows none. */
    static String title(String text) {
        StringBuilder out = new StringBuilder(text.length());
        boolean inWord = false;
        for (int c : text.codePoints().toArray()) {
            out.append(inWord ? Character.toString(c).toLowerCase(Locale.ROOT) : titled(c));
            inWord = isCased(c);
        }
        return out.toString();
    }

    private static String titled(int c) {
        String upper = Character.toString(c).toUpperCase(Locale.ROOT);
        int simple = Character.toTitleCase(c);
        return upper.codePointCount(0, upper.length()) > 1 ? capitalizeFirst(upper) : Character.toString(simple);
    }

    private static String capitalizeFirst(String upper) {
        int first = Character.charCount(upper.codePointAt(0));
        return upper.substring(0, first) + upper.substring(first).toLowerCase(Locale.ROOT);
    }

    static boolean isCased(int c) {
        return Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
    }

    /** {@code str.capitalize}. */
    static String capitalize(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = Character.charCount(text.codePointAt(0));
        return titled(text.codePointAt(0)) + text.substring(first).toLowerCase(Locale.ROOT);
    }
}
