package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** The tests after {@code is}. */
final class Tests {
    private interface Test {
        boolean passes(Object value, CallArguments arguments);
    }

    private static final Map<String, Test> BY_NAME = new HashMap<>();

    static {
        BY_NAME.put("defined", (value, a) -> !(value instanceof Undefined));
        BY_NAME.put("undefined", (value, a) -> value instanceof Undefined);
        BY_NAME.put("none", (value, a) -> value == null);
        BY_NAME.put("boolean", (value, a) -> value instanceof Boolean);
        BY_NAME.put("true", (value, a) -> Boolean.TRUE.equals(value));
        BY_NAME.put("false", (value, a) -> Boolean.FALSE.equals(value));
        BY_NAME.put("integer", (value, a) -> value instanceof Long);
        BY_NAME.put("float", (value, a) -> value instanceof Double);
        BY_NAME.put("number", (value, a) -> Values.isNumber(value));
        BY_NAME.put("string", (value, a) -> value instanceof Text);
        BY_NAME.put("mapping", (value, a) -> value instanceof Map);
        BY_NAME.put("sequence", (value, a) -> value instanceof Text || value instanceof List || value instanceof Map || value instanceof Undefined);
        BY_NAME.put("iterable", (value, a) -> value instanceof Text || value instanceof List || value instanceof Map || value instanceof Undefined);
        BY_NAME.put("callable", (value, a) -> value instanceof Callable);
        BY_NAME.put("odd", (value, a) -> Math.floorMod(Values.integer(value, "odd"), 2) == 1);
        BY_NAME.put("even", (value, a) -> Math.floorMod(Values.integer(value, "even"), 2) == 0);
        BY_NAME.put("divisibleby", Tests::divisible);
        BY_NAME.put("lower", (value, a) -> Values.truth(StringMethods.method(Printing.str(value), "islower").call(a)));
        BY_NAME.put("upper", (value, a) -> Values.truth(StringMethods.method(Printing.str(value), "isupper").call(a)));
        BY_NAME.put("in", (value, a) -> Values.contains(a.need(0, "seq"), value));
        BY_NAME.put("sameas", (value, a) -> same(value, a.need(0, "other")));
        BY_NAME.put("filter", (value, a) -> Filters.exists(Printing.str(value).value()));
        BY_NAME.put("test", (value, a) -> BY_NAME.containsKey(Printing.str(value).value()));
        compare("==", "eq", "equalto", "==");
        compare("!=", "ne", "!=");
        compare("<", "lt", "lessthan", "<");
        compare("<=", "le", "<=");
        compare(">", "gt", "greaterthan", ">");
        compare(">=", "ge", ">=");
    }

    private Tests() {
    }

    private static void compare(String operator, String... names) {
        for (String name : names) {
            BY_NAME.put(name, (value, a) -> Operators.compare(operator, value, a.need(0, "other")));
        }
    }

    private static boolean divisible(Object value, CallArguments arguments) {
        long divisor = arguments.integer(0, "num", 0);
        if (divisor == 0) {
            throw TemplateException.of("divisibleby: division by zero");
        }
        return Values.integer(value, "divisibleby") % divisor == 0;
    }

    /** Identity; of equal small values, which Python shares, equality. */
    private static boolean same(Object value, Object other) {
        boolean plain = value == null || value instanceof Boolean || value instanceof Long;
        return plain ? value == null ? other == null : value.equals(other) : value == other;
    }

    static void check(String name, int line) {
        if (!BY_NAME.containsKey(name)) {
            throw TemplateException.at(line, unknown(name));
        }
    }

    static boolean passes(String name, Object value, CallArguments arguments) {
        Test test = BY_NAME.get(name);
        if (test == null) {
            throw TemplateException.of(unknown(name));
        }
        return test.passes(value, arguments);
    }

    private static String unknown(String name) {
        return "test '" + name + "' is not supported; supported: " + new TreeSet<>(BY_NAME.keySet());
    }
}
