package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Filters that apply a filter, a test or an attribute to each element. */
final class SelectionFilters {
    private SelectionFilters() {
    }

    static void addTo(Map<String, Filters.Filter> filters) {
        filters.put("map", SelectionFilters::map);
        filters.put("select", (value, a) -> choose(value, a, true, false));
        filters.put("reject", (value, a) -> choose(value, a, false, false));
        filters.put("selectattr", (value, a) -> choose(value, a, true, true));
        filters.put("rejectattr", (value, a) -> choose(value, a, false, true));
        filters.put("groupby", SelectionFilters::groupBy);
    }

    private static Object map(Object value, CallArguments arguments) {
        List<Object> mapped = new ArrayList<>();
        if (arguments.positional().isEmpty()) {
            arguments.accepting(0, "attribute", "default");
            UnaryOperator<Object> key = SequenceFilters.attribute(arguments.need(0, "attribute"));
            Object otherwise = arguments.get(1, "default", CallArguments.ABSENT);
            for (Object element : Values.iterate(value)) {
                Object found = key.apply(element);
                mapped.add(found instanceof Undefined && otherwise != CallArguments.ABSENT ? otherwise : found);
            }
            return mapped;
        }
        String name = arguments.text(0, "filter").value();
        CallArguments rest = arguments.from(1);
        for (Object element : Values.iterate(value)) {
            mapped.add(Filters.apply(name, element, rest));
        }
        return mapped;
    }

    private static Object choose(Object value, CallArguments arguments, boolean keep, boolean byAttribute) {
        UnaryOperator<Object> key = byAttribute ? SequenceFilters.attribute(arguments.need(0, "attribute")) : element -> element;
        CallArguments rest = byAttribute ? arguments.from(1) : arguments;
        String test = rest.positional().isEmpty() ? null : rest.text(0, "test").value();
        List<Object> chosen = new ArrayList<>();
        for (Object element : Values.iterate(value)) {
            Object subject = key.apply(element);
            boolean passes = test == null ? Values.truth(subject) : Tests.passes(test, subject, rest.from(1));
            if (passes == keep) {
                chosen.add(element);
            }
        }
        return chosen;
    }

    private static Object groupBy(Object value, CallArguments arguments) {
        UnaryOperator<Object> key = SequenceFilters.attribute(arguments.need(0, "attribute"));
        Object otherwise = arguments.get(1, "default", null);
        boolean caseSensitive = arguments.flag(2, "case_sensitive", false);
        Map<Object, List<Object>> groups = new LinkedHashMap<>();
        Map<Object, Object> names = new LinkedHashMap<>();
        for (Object element : Values.iterate(value)) {
            Object found = key.apply(element);
            Object group = found instanceof Undefined ? otherwise : found;
            Object folded = SequenceFilters.hashable(SequenceFilters.folded(group, caseSensitive));
            names.putIfAbsent(folded, group);
            groups.computeIfAbsent(folded, k -> new ArrayList<>()).add(element);
        }
        List<Object> order = new ArrayList<>(groups.keySet());
        order.sort((a, b) -> Values.compare(a, b, "<"));
        List<Object> result = new ArrayList<>();
        for (Object group : order) {
            if (group == null) {
                throw TemplateException.of("groupby: an element has no such attribute");
            }
            result.add(Tuple.of(names.get(group), groups.get(group)));
        }
        return result;
    }
}
