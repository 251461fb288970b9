package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.Map;

/** Filters that give numbers. */
final class NumberFilters {
    private NumberFilters() {
    }

    static void addTo(Map<String, Filters.Filter> filters) {
        filters.put("length", (value, a) -> Values.length(value));
        filters.put("count", filters.get("length"));
        filters.put("abs", (value, a) -> value instanceof Double x ? (Object) Math.abs(x) : (Object) Math.absExact(Values.integer(value, "abs")));
        filters.put("int", (value, a) -> integer(value, a.get(0, "default", 0L), a.integer(1, "base", 10)));
        filters.put("float", (value, a) -> real(value, a.get(0, "default", 0.0)));
        filters.put("round", NumberFilters::round);
    }

    private static Object integer(Object value, Object otherwise, long base) {
        try {
            return switch (value) {
                case Long n -> n;
                case Boolean b -> b ? 1L : 0L;
                case Double x -> Double.isNaN(x) || Math.abs(x) >= 0x1p63 ? otherwise : (Object) (long) (double) x;
                case Text text -> integer(text.value().strip().replace("_", ""), otherwise, (int) base);
                case null, default -> otherwise;
            };
        } catch (NumberFormatException e) {
            return otherwise;
        }
    }

    private static Object integer(String text, Object otherwise, int base) {
        if (base == 16 && text.toLowerCase(Locale.ROOT).startsWith("0x")) {
            return Long.parseLong(text.substring(2), 16);
        }
        if (base != 10 || text.matches("[+-]?\\d+")) {
            return Long.parseLong(text, base);
        }
        return integer(real(Text.template(text), otherwise), otherwise, base);
    }

    private static Object real(Object value, Object otherwise) {
        return switch (value) {
            case Double x -> x;
            case Long n -> (double) n;
            case Boolean b -> b ? 1.0 : 0.0;
            case Text text when text.value().strip().matches("[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?") -> Double.parseDouble(text.value().strip());
            case null, default -> otherwise;
        };
    }

    /** Half to even, as Python; {@code ceil} and {@code floor} on demand; a float always. */
    private static Object round(Object value, CallArguments arguments) {
        int digits = (int) Math.clamp(arguments.integer(0, "precision", 0), -300, 300);
        Object method = arguments.get(1, "method", Text.template("common"));
        RoundingMode mode = switch (Printing.str(method).value()) {
            case "common" -> RoundingMode.HALF_EVEN;
            case "ceil" -> RoundingMode.CEILING;
            case "floor" -> RoundingMode.FLOOR;
            default -> throw TemplateException.of("round: method must be common, ceil or floor");
        };
        double number = Values.real(value, "round");
        if (Double.isNaN(number) || Double.isInfinite(number)) {
            return number;
        }
        double rounded = new BigDecimal(number).setScale(digits, mode).doubleValue();
        return value instanceof Long && mode == RoundingMode.HALF_EVEN ? (Object) (long) rounded : (Object) rounded;
    }
}
