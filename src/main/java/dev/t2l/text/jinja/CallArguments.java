package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.List;
import java.util.Map;

/**
 * Evaluated arguments of a call.
 *
 * @param what       what is called, for messages
 * @param positional in order
 * @param named      by keyword
 */
record CallArguments(String what, List<Object> positional, Map<String, Object> named) {
    static final Object ABSENT = new Object();

    /** The argument at a place or under a name, or {@code otherwise}. */
    Object get(int place, String name, Object otherwise) {
        if (place < positional.size()) {
            return positional.get(place);
        }
        return named.getOrDefault(name, otherwise);
    }

    Object need(int place, String name) {
        Object value = get(place, name, ABSENT);
        if (value == ABSENT) {
            throw TemplateException.of(what + ": argument '" + name + "' is missing");
        }
        return value;
    }

    Text text(int place, String name) {
        return Values.text(need(place, name), what + ", argument '" + name + "'");
    }

    /** A text, or null if it is absent or none. */
    Text textOrNull(int place, String name) {
        Object value = get(place, name, null);
        return value == null ? null : Values.text(value, what + ", argument '" + name + "'");
    }

    long integer(int place, String name, long otherwise) {
        return Values.integer(get(place, name, otherwise), what + ", argument '" + name + "'");
    }

    boolean flag(int place, String name, boolean otherwise) {
        return Values.truth(get(place, name, otherwise));
    }

    /** Refuses more than {@code places} positional arguments and other names. */
    CallArguments accepting(int places, String... names) {
        if (positional.size() > places) {
            throw TemplateException.of(what + ": wanted at most " + places + " arguments, got " + positional.size());
        }
        for (String name : named.keySet()) {
            if (!List.of(names).contains(name)) {
                throw TemplateException.of(what + ": no argument is named '" + name + "'");
            }
        }
        return this;
    }

    /** The same without the first {@code places} positional arguments. */
    CallArguments from(int places) {
        return new CallArguments(what, positional.subList(Math.min(places, positional.size()), positional.size()), named);
    }
}
