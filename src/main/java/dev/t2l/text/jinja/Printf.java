package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Python's {@code format % values}. */
final class Printf {
    private static final Pattern SPECIFIER = Pattern.compile("%(?:\\((?<key>[^)]*)\\))?(?<flags>[-+ 0#]*)(?<width>\\d{1,4})?(?:\\.(?<precision>\\d{1,3}))?(?<kind>.)", Pattern.DOTALL);

    private Printf() {
    }

    static Text format(Text format, Object values) {
        List<?> arguments = values instanceof Tuple tuple ? tuple : List.of(new Object[] {values == null ? Text.template("None") : values});
        Text.Builder out = new Text.Builder();
        Matcher matcher = SPECIFIER.matcher(format.value());
        int done = 0;
        int used = 0;
        while (matcher.find()) {
            out.append(format.substring(done, matcher.start()));
            done = matcher.end();
            if (matcher.group("kind").equals("%")) {
                out.append("%", false);
            } else if (matcher.group("key") != null) {
                out.append(one(matcher, Attributes.item(values, Text.template(matcher.group("key")))));
            } else if (used == arguments.size()) {
                throw TemplateException.of("'%': not enough arguments for format string");
            } else {
                out.append(one(matcher, arguments.get(used++)));
            }
        }
        if (used < arguments.size() && !(values instanceof Map<?, ?>)) {
            throw TemplateException.of("'%': not all arguments converted during string formatting");
        }
        return out.append(format.substring(done, format.length())).build();
    }

    private static Text one(Matcher specifier, Object value) {
        String precision = specifier.group("precision");
        String flags = specifier.group("flags");
        Text text = switch (specifier.group("kind")) {
            case "s" -> cut(Printing.str(value), precision);
            case "r" -> cut(Printing.repr(value), precision);
            case "d", "i", "u" -> Text.template(signed(Long.toString(whole(value)), flags));
            case "x" -> Text.template(signed(Long.toString(whole(value), 16), flags));
            case "X" -> Text.template(signed(Long.toString(whole(value), 16).toUpperCase(Locale.ROOT), flags));
            case "o" -> Text.template(signed(Long.toString(whole(value), 8), flags));
            case "f", "F" -> Text.template(signed(fixed(Values.real(value, "'%f'"), precision == null ? 6 : Integer.parseInt(precision)), flags));
            default -> throw TemplateException.of("'%': format character '" + specifier.group("kind") + "' is not supported");
        };
        String width = specifier.group("width");
        return width == null ? text : pad(text, Integer.parseInt(width), flags, specifier.group("kind"));
    }

    private static Text cut(Text text, String precision) {
        return precision == null || text.points() <= Integer.parseInt(precision) ? text : text.substring(0, text.offset(Integer.parseInt(precision)));
    }

    private static long whole(Object value) {
        return value instanceof Double x ? (long) (double) x : Values.integer(value, "'%d'");
    }

    static String fixed(double value, int digits) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return Printing.real(value);
        }
        String text = new BigDecimal(value).setScale(digits, RoundingMode.HALF_EVEN).toPlainString();
        return 1 / value < 0 && !text.startsWith("-") ? "-" + text : text;
    }

    private static String signed(String digits, String flags) {
        String sign = flags.contains("+") ? "+" : flags.contains(" ") ? " " : "";
        return digits.startsWith("-") ? digits : sign + digits;
    }

    private static Text pad(Text text, int width, String flags, String kind) {
        int missing = width - text.points();
        if (missing <= 0) {
            return text;
        }
        if (flags.contains("-")) {
            return text.concat(Text.template(" ".repeat(missing)));
        }
        if (flags.contains("0") && !kind.equals("s") && !kind.equals("r")) {
            int sign = !text.isEmpty() && "+- ".indexOf(text.value().charAt(0)) >= 0 ? 1 : 0;
            return text.substring(0, sign).concat(Text.template("0".repeat(missing))).concat(text.substring(sign, text.length()));
        }
        return Text.template(" ".repeat(missing)).concat(text);
    }
}
