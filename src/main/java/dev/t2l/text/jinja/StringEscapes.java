package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.function.Function;

/** Python's escapes in string literals; an unknown one stays as it is written. */
final class StringEscapes {
    private StringEscapes() {
    }

    static String decode(String literal, Function<String, TemplateException> problem) {
        if (literal.indexOf('\\') < 0) {
            return literal;
        }
        StringBuilder out = new StringBuilder(literal.length());
        int i = 0;
        while (i < literal.length()) {
            char c = literal.charAt(i++);
            if (c != '\\' || i == literal.length()) {
                out.append(c);
                continue;
            }
            char escape = literal.charAt(i++);
            switch (escape) {
                case '\n' -> { }
                case 'n' -> out.append('\n');
                case 't' -> out.append('\t');
                case 'r' -> out.append('\r');
                case 'a' -> out.append('\u0007');
                case 'b' -> out.append('\b');
                case 'f' -> out.append('\f');
                case 'v' -> out.append('\u000B');
                case '\\', '\'', '"' -> out.append(escape);
                case 'x' -> i = hex(literal, i, 2, out, problem);
                case 'u' -> i = hex(literal, i, 4, out, problem);
                case 'U' -> i = hex(literal, i, 8, out, problem);
                case '0', '1', '2', '3', '4', '5', '6', '7' -> i = octal(literal, i - 1, out);
                default -> out.append('\\').append(escape);
            }
        }
        return out.toString();
    }

    private static int hex(String literal, int from, int digits, StringBuilder out, Function<String, TemplateException> problem) {
        int value = 0;
        for (int i = from; i < from + digits; i++) {
            int digit = i < literal.length() ? Character.digit(literal.charAt(i), 16) : -1;
            if (digit < 0 || value > Character.MAX_CODE_POINT >> 4) {
                throw problem.apply("a malformed escape in the string '" + literal + "'");
            }
            value = value << 4 | digit;
        }
        out.appendCodePoint(value);
        return from + digits;
    }

    private static int octal(String literal, int from, StringBuilder out) {
        int value = 0;
        int i = from;
        while (i < from + 3 && i < literal.length() && literal.charAt(i) >= '0' && literal.charAt(i) <= '7') {
            value = value * 8 + literal.charAt(i++) - '0';
        }
        out.append((char) value);
        return i;
    }
}
