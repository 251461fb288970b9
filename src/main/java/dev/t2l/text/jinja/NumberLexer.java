package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Python's number literals, with underscores. */
final class NumberLexer {
    private static final Pattern FLOAT = Pattern.compile("(?:\\d+_)*\\d+(?:(?:\\.(?:\\d+_)*\\d+)?[eE][+-]?(?:\\d+_)*\\d+|\\.(?:\\d+_)*\\d+)");
    private static final Pattern INTEGER = Pattern.compile("0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+|[1-9](?:_?\\d)*|0(?:_?0)*");

    interface Sink {
        void accept(Token.Kind kind, String text, Object value);
    }

    private NumberLexer() {
    }

    /** Gives the number at {@code at} to the sink; where it ends. */
    static int read(String source, int at, Sink sink, Function<String, TemplateException> problem) {
        Matcher real = FLOAT.matcher(source).region(at, source.length());
        boolean afterDot = at > 0 && source.charAt(at - 1) == '.';
        if (!afterDot && real.lookingAt()) {
            sink.accept(Token.Kind.FLOAT, real.group(), Double.parseDouble(real.group().replace("_", "")));
            return real.end();
        }
        Matcher integer = INTEGER.matcher(source).region(at, source.length());
        if (!integer.lookingAt()) {
            throw problem.apply("a malformed number");
        }
        String digits = integer.group().replace("_", "");
        try {
            sink.accept(Token.Kind.INTEGER, integer.group(), value(digits));
        } catch (NumberFormatException e) {
            throw problem.apply("the number " + digits + " is too large");
        }
        return integer.end();
    }

    private static long value(String digits) {
        char base = digits.length() > 1 ? Character.toLowerCase(digits.charAt(1)) : '0';
        return switch (base) {
            case 'b' -> Long.parseLong(digits.substring(2), 2);
            case 'o' -> Long.parseLong(digits.substring(2), 8);
            case 'x' -> Long.parseLong(digits.substring(2), 16);
            default -> Long.parseLong(digits);
        };
    }
}
