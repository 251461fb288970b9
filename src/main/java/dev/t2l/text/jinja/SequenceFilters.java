package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Filters over sequences as a whole, and the default. */
final class SequenceFilters {
    private SequenceFilters() {
    }

    static void addTo(Map<String, Filters.Filter> filters) {
        filters.put("default", SequenceFilters::orDefault);
        filters.put("d", filters.get("default"));
        filters.put("list", (value, a) -> Values.iterate(value));
        filters.put("first", (value, a) -> edge(Values.iterate(value), true));
        filters.put("last", (value, a) -> edge(Values.iterate(value), false));
        filters.put("join", SequenceFilters::join);
        filters.put("reverse", SequenceFilters::reverse);
        filters.put("items", (value, a) -> items(value));
        filters.put("dictsort", SequenceFilters::sortMap);
        filters.put("sort", SequenceFilters::sort);
        filters.put("unique", SequenceFilters::unique);
        filters.put("min", (value, a) -> extreme(value, a, -1));
        filters.put("max", (value, a) -> extreme(value, a, 1));
        filters.put("sum", SequenceFilters::sum);
        filters.put("batch", SequenceFilters::batch);
        filters.put("slice", SequenceFilters::slices);
        filters.put("attr", (value, a) -> {
            Object found = value instanceof Namespace ? Attributes.attribute(value, a.text(0, "name").value()) : Attributes.own(Values.defined(value), a.text(0, "name").value());
            return found == null ? new Undefined("no attribute '" + a.text(0, "name") + "'") : found;
        });
    }

    private static Object orDefault(Object value, CallArguments arguments) {
        boolean replaces = value instanceof Undefined || arguments.flag(1, "boolean", false) && !Values.truth(value);
        return replaces ? arguments.get(0, "default_value", Text.EMPTY) : value;
    }

    private static Object edge(List<Object> list, boolean first) {
        return list.isEmpty() ? new Undefined("No " + (first ? "first" : "last") + " item, sequence was empty.") : first ? list.getFirst() : list.getLast();
    }

    private static Text join(Object value, CallArguments arguments) {
        Text separator = Printing.str(arguments.get(0, "d", Text.EMPTY));
        UnaryOperator<Object> key = attribute(arguments.get(1, "attribute", null));
        Text.Builder out = new Text.Builder();
        String between = null;
        for (Object element : Values.iterate(value)) {
            out.append(between == null ? Text.EMPTY : separator);
            between = "";
            out.append(Printing.str(key.apply(element)));
            Budget.charge(separator.length());
        }
        return out.build();
    }

    /** Reads an attribute by a dotted path or a number; the value itself without one. */
    static UnaryOperator<Object> attribute(Object path) {
        if (path == null) {
            return value -> value;
        }
        if (path instanceof Long index) {
            return value -> Attributes.item(value, index);
        }
        List<Object> steps = new ArrayList<>();
        for (String part : Values.text(path, "attribute").value().split("\\.")) {
            steps.add(part.matches("\\d{1,9}") ? (Object) Long.parseLong(part) : Text.template(part));
        }
        return value -> {
            Object found = value;
            for (Object step : steps) {
                found = Attributes.item(found, step);
            }
            return found;
        };
    }

    private static Object reverse(Object value, CallArguments arguments) {
        if (value instanceof Text text) {
            return Attributes.slice(text, null, null, -1L);
        }
        List<Object> reversed = Values.iterate(value);
        Collections.reverse(reversed);
        return reversed;
    }

    private static Object items(Object value) {
        return switch (value) {
            case Undefined u -> List.of();
            case Map<?, ?> map -> Attributes.items(map);
            case null, default -> throw TemplateException.of("items: Can only get item pairs from a mapping.");
        };
    }

    private static Object sortMap(Object value, CallArguments arguments) {
        if (!(value instanceof Map<?, ?> map)) {
            throw TemplateException.of("dictsort: wanted dict, found " + Values.typeName(value));
        }
        boolean caseSensitive = arguments.flag(0, "case_sensitive", false);
        int place = Printing.str(arguments.get(1, "by", Text.template("key"))).value().equals("value") ? 1 : 0;
        Comparator<Object> order = order(caseSensitive, pair -> ((Tuple) pair).get(place));
        List<Object> pairs = Attributes.items(map);
        pairs.sort(arguments.flag(2, "reverse", false) ? order.reversed() : order);
        return pairs;
    }

    private static Comparator<Object> order(boolean caseSensitive, UnaryOperator<Object> key) {
        return (a, b) -> Values.compare(folded(key.apply(a), caseSensitive), folded(key.apply(b), caseSensitive), "<");
    }

    static Object folded(Object value, boolean caseSensitive) {
        return value instanceof Text text && !caseSensitive ? text.rewritten(text.value().toLowerCase(Locale.ROOT)) : value;
    }

    private static Object sort(Object value, CallArguments arguments) {
        List<Object> sorted = Values.iterate(value);
        Comparator<Object> order = order(arguments.flag(1, "case_sensitive", false), attribute(arguments.get(2, "attribute", null)));
        sorted.sort(arguments.flag(0, "reverse", false) ? order.reversed() : order);
        return sorted;
    }

    private static Object unique(Object value, CallArguments arguments) {
        boolean caseSensitive = arguments.flag(0, "case_sensitive", false);
        UnaryOperator<Object> key = attribute(arguments.get(1, "attribute", null));
        Map<Object, Object> seen = new LinkedHashMap<>();
        for (Object element : Values.iterate(value)) {
            seen.putIfAbsent(number(hashable(folded(key.apply(element), caseSensitive))), element);
        }
        return new ArrayList<>(seen.values());
    }

    /** A value as a key of a map. */
    static Object hashable(Object value) {
        if (value instanceof List<?> || value instanceof Map<?, ?>) {
            throw TemplateException.of("unhashable type: '" + Values.typeName(value) + "'");
        }
        return value;
    }

    /** Equal numbers of different types as one key. */
    private static Object number(Object value) {
        return switch (value) {
            case Boolean b -> b ? 1L : 0L;
            case Double x when x == Math.rint(x) && Math.abs(x) < 0x1p62 -> (long) (double) x;
            case null, default -> value;
        };
    }

    private static Object extreme(Object value, CallArguments arguments, int sign) {
        UnaryOperator<Object> key = attribute(arguments.get(1, "attribute", null));
        Comparator<Object> order = order(arguments.flag(0, "case_sensitive", false), key);
        List<Object> list = Values.iterate(value);
        if (list.isEmpty()) {
            return new Undefined("No aggregated item, sequence was empty.");
        }
        Object best = list.getFirst();
        for (Object element : list) {
            best = order.compare(element, best) * sign > 0 ? element : best;
        }
        return best;
    }

    private static Object sum(Object value, CallArguments arguments) {
        UnaryOperator<Object> key = attribute(arguments.get(0, "attribute", null));
        Operators operators = new Operators(Budget.CURRENT.get());
        Object sum = arguments.get(1, "start", 0L);
        for (Object element : Values.iterate(value)) {
            sum = operators.binary("+", sum, key.apply(element));
        }
        return sum;
    }

    private static Object batch(Object value, CallArguments arguments) {
        int size = (int) Math.clamp(Values.integer(arguments.need(0, "linecount"), "batch"), 1, 1_000_000);
        Object fill = arguments.get(1, "fill_with", null);
        List<Object> all = Values.iterate(value);
        List<Object> rows = new ArrayList<>();
        for (int i = 0; i < all.size(); i += size) {
            List<Object> row = new ArrayList<>(all.subList(i, Math.min(i + size, all.size())));
            for (; fill != null && row.size() < size; Budget.step()) {
                row.add(fill);
            }
            rows.add(row);
        }
        return rows;
    }

    private static Object slices(Object value, CallArguments arguments) {
        int count = (int) Math.clamp(Values.integer(arguments.need(0, "slices"), "slice"), 1, 100_000);
        Object fill = arguments.get(1, "fill_with", null);
        List<Object> all = Values.iterate(value);
        int each = all.size() / count;
        int longer = all.size() % count;
        List<Object> columns = new ArrayList<>();
        int at = 0;
        for (int i = 0; i < count; i++) {
            int end = at + each + (i < longer ? 1 : 0);
            List<Object> column = new ArrayList<>(all.subList(at, end));
            if (fill != null && i >= longer) {
                column.add(fill);
            }
            columns.add(column);
            at = end;
        }
        return columns;
    }
}
