package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;

/** The filters by name. */
final class Filters {
    /** A filter of a value; arguments do not include the value. */
    interface Filter {
        Object apply(Object value, CallArguments arguments);
    }

    private static final Map<String, Filter> BY_NAME = new HashMap<>();

    static {
        TextFilters.addTo(BY_NAME);
        NumberFilters.addTo(BY_NAME);
        SequenceFilters.addTo(BY_NAME);
        SelectionFilters.addTo(BY_NAME);
    }

    private Filters() {
    }

    static void check(String name, int line) {
        if (!BY_NAME.containsKey(name)) {
            throw TemplateException.at(line, "filter '" + name + "' is not supported; supported: " + new TreeSet<>(BY_NAME.keySet()));
        }
    }

    static boolean exists(String name) {
        return BY_NAME.containsKey(name);
    }

    static Object apply(String name, Object value, CallArguments arguments) {
        Filter filter = BY_NAME.get(name);
        if (filter == null) {
            throw TemplateException.of("filter '" + name + "' is not supported; supported: " + new TreeSet<>(BY_NAME.keySet()));
        }
        Object result = filter.apply(value, arguments);
        if (result instanceof Text text) {
            Budget.charge(text.length());
        } else if (result instanceof Collection<?> many) {
            Budget.CURRENT.get().spend(many.size());
        }
        return result;
    }
}
