package dev.t2l.text.jinja;

import java.util.HashMap;
import java.util.Map;

/** Variables of a template, a loop's turn, a macro's call: what is not here is looked for outside. */
final class Scope {
    private static final Object ABSENT = new Object();

    private final Scope outer;
    private final Map<String, Object> variables = new HashMap<>();

    Scope(Scope outer) {
        this.outer = outer;
    }

    void set(String name, Object value) {
        variables.put(name, value);
    }

    Object get(String name) {
        for (Scope scope = this; scope != null; scope = scope.outer) {
            Object value = scope.variables.getOrDefault(name, ABSENT);
            if (value != ABSENT) {
                return value;
            }
        }
        return new Undefined("'" + name + "' is undefined");
    }
}
