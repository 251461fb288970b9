package dev.t2l.text.jinja;

import java.math.BigDecimal;
import java.util.List;
import java.util.Map;

/** Python's {@code str} and {@code repr}, keeping the origin of the characters. */
final class Printing {
    private Printing() {
    }

    static Text str(Object value) {
        return switch (value) {
            case Text text -> text;
            case Undefined u -> Text.EMPTY;
            case null, default -> repr(value);
        };
    }

    static Text repr(Object value) {
        Text.Builder out = new Text.Builder();
        repr(value, out);
        return out.build();
    }

    private static void repr(Object value, Text.Builder out) {
        Budget.step();
        switch (value) {
            case null -> out.append("None", false);
            case Boolean b -> out.append(b ? "True" : "False", false);
            case Long n -> out.append(n.toString(), false);
            case Double x -> out.append(real(x), false);
            case Text text -> out.append(quoted(text.value()), text.hasData());
            case Undefined u -> out.append("Undefined", false);
            case Tuple tuple -> {
                elements(tuple, "(", tuple.size() == 1 ? ",)" : ")", out);
            }
            case List<?> list -> elements(list, "[", "]", out);
            case Map<?, ?> map -> entries(map, out);
            default -> out.append("<" + Values.typeName(value) + ">", false);
        }
    }

    private static void elements(List<?> list, String open, String close, Text.Builder out) {
        out.append(open, false);
        String separator = "";
        for (Object element : list) {
            out.append(separator, false);
            repr(element, out);
            separator = ", ";
        }
        out.append(close, false);
    }

    private static void entries(Map<?, ?> map, Text.Builder out) {
        out.append("{", false);
        String separator = "";
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            out.append(separator, false);
            repr(entry.getKey(), out);
            out.append(": ", false);
            repr(entry.getValue(), out);
            separator = ", ";
        }
        out.append("}", false);
    }

    private static String quoted(String text) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        StringBuilder out = new StringBuilder(text.length() + 2).append(quote);
        text.codePoints().forEach(c -> {
            switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\\' -> out.append("\\\\");
                default -> {
                    if (c == quote) {
                        out.append('\\').append(quote);
                    } else if (isPrintable(c)) {
                        out.appendCodePoint(c);
                    } else {
                        out.append(c < 0x100 ? "\\x%02x".formatted(c) : c < 0x10000 ? "\\u%04x".formatted(c) : "\\U%08x".formatted(c));
                    }
                }
            }
        });
        return out.append(quote).toString();
    }

    private static boolean isPrintable(int c) {
        return c == ' ' || switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE, Character.UNASSIGNED, Character.LINE_SEPARATOR,
                 Character.PARAGRAPH_SEPARATOR, Character.SPACE_SEPARATOR -> false;
            default -> true;
        };
    }

    /** The shortest digits that give the number back, with an exponent below 1e-4 and from 1e16 on. */
    static String real(double value) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return Double.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        BigDecimal exact = new BigDecimal(Double.toString(value)).stripTrailingZeros();
        int exponent = exact.precision() - exact.scale() - 1;
        if (exponent >= -4 && exponent < 16) {
            String plain = exact.toPlainString();
            return plain.indexOf('.') < 0 ? plain + ".0" : plain;
        }
        String digits = exact.unscaledValue().abs().toString();
        String mantissa = digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
        return (value < 0 ? "-" : "") + mantissa + "e" + (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
    }
}
