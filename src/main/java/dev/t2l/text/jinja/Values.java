package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Values of a template and what Python does with them: null (none), Boolean, Long, Double, {@link Text}, List ({@link Tuple}), Map,
 * {@link Undefined}, {@link Namespace}, {@link Callable}, {@link Loop}.
 */
final class Values {
    private static final int MAX_DEPTH = 100;

    private Values() {
    }

    /** A value given by a caller; its strings are data, the keys of its maps are not. */
    static Object from(Object value) {
        return from(value, 0);
    }

    private static Object from(Object value, int depth) {
        if (depth > MAX_DEPTH) {
            throw TemplateException.of("a value is nested more than " + MAX_DEPTH + " deep");
        }
        return switch (value) {
            case null -> null;
            case Text text -> text;
            case CharSequence text -> Text.data(text.toString());
            case Boolean flag -> flag;
            case Byte n -> n.longValue();
            case Short n -> n.longValue();
            case Integer n -> n.longValue();
            case Long n -> n;
            case Float x -> x.doubleValue();
            case Double x -> x;
            case Collection<?> many -> {
                List<Object> list = new ArrayList<>(many.size());
                many.forEach(element -> list.add(from(element, depth + 1)));
                yield list;
            }
            case Map<?, ?> map -> {
                Map<Object, Object> copy = new LinkedHashMap<>();
                map.forEach((key, element) -> copy.put(key instanceof CharSequence text ? Text.template(text.toString()) : from(key, depth + 1), from(element, depth + 1)));
                yield copy;
            }
            default -> throw TemplateException.of("a value of " + value.getClass().getName() + " has no form in a template; wanted text, numbers, booleans, lists and maps");
        };
    }

    static String typeName(Object value) {
        return switch (value) {
            case null -> "NoneType";
            case Boolean b -> "bool";
            case Long n -> "int";
            case Double x -> "float";
            case Text t -> "str";
            case Tuple t -> "tuple";
            case List<?> l -> "list";
            case Map<?, ?> m -> "dict";
            case Undefined u -> "Undefined";
            case Namespace n -> "Namespace";
            case Callable c -> "function";
            default -> value.getClass().getSimpleName();
        };
    }

    static boolean truth(Object value) {
        return switch (value) {
            case null -> false;
            case Boolean b -> b;
            case Long n -> n != 0;
            case Double x -> x != 0;
            case Text t -> !t.isEmpty();
            case List<?> l -> !l.isEmpty();
            case Map<?, ?> m -> !m.isEmpty();
            case Undefined u -> false;
            default -> true;
        };
    }

    /** The value itself unless it is undefined. */
    static Object defined(Object value) {
        if (value instanceof Undefined undefined) {
            throw TemplateException.of(undefined.cause());
        }
        return value;
    }

    static boolean isNumber(Object value) {
        return value instanceof Long || value instanceof Double || value instanceof Boolean;
    }

    static Text text(Object value, String what) {
        if (defined(value) instanceof Text text) {
            return text;
        }
        throw TemplateException.of(what + ": wanted str, found " + typeName(value));
    }

    static long integer(Object value, String what) {
        return switch (defined(value)) {
            case Long n -> n;
            case Boolean b -> b ? 1 : 0;
            case null, default -> throw TemplateException.of(what + ": wanted int, found " + typeName(value));
        };
    }

    static double real(Object value, String what) {
        return switch (defined(value)) {
            case Double x -> x;
            case Long n -> n;
            case Boolean b -> b ? 1 : 0;
            case null, default -> throw TemplateException.of(what + ": wanted a number, found " + typeName(value));
        };
    }

    /** What a loop sees: elements, keys, characters; nothing for an undefined value. */
    static List<Object> iterate(Object value) {
        return switch (value) {
            case Undefined u -> List.of();
            case Text text -> text.characters();
            case List<?> list -> new ArrayList<>(list);
            case Map<?, ?> map -> new ArrayList<>(map.keySet());
            case null, default -> throw TemplateException.of("'" + typeName(value) + "' object is not iterable");
        };
    }

    static long length(Object value) {
        return switch (value) {
            case Undefined u -> 0;
            case Text text -> text.points();
            case List<?> list -> list.size();
            case Map<?, ?> map -> map.size();
            case null, default -> throw TemplateException.of("object of type '" + typeName(value) + "' has no len()");
        };
    }

    static boolean equal(Object a, Object b) {
        Budget.step();
        if (isNumber(a) && isNumber(b)) {
            return a instanceof Double || b instanceof Double ? real(a, "") == real(b, "") : integer(a, "") == integer(b, "");
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            boolean sameKind = a instanceof Tuple == b instanceof Tuple && x.size() == y.size();
            for (int i = 0; sameKind && i < x.size(); i++) {
                sameKind = equal(x.get(i), y.get(i));
            }
            return sameKind;
        }
        if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
            return x.size() == y.size() && x.entrySet().stream().allMatch(e -> y.containsKey(e.getKey()) && equal(e.getValue(), y.get(e.getKey())));
        }
        return a == null ? b == null : a.equals(b);
    }

    static int compare(Object a, Object b, String operator) {
        Budget.step();
        defined(a);
        defined(b);
        if (isNumber(a) && isNumber(b)) {
            return a instanceof Double || b instanceof Double ? Double.compare(real(a, ""), real(b, "")) : Long.compare(integer(a, ""), integer(b, ""));
        }
        if (a instanceof Text x && b instanceof Text y) {
            return x.compareTo(y);
        }
        if (a instanceof List<?> x && b instanceof List<?> y && a instanceof Tuple == b instanceof Tuple) {
            for (int i = 0; i < Math.min(x.size(), y.size()); i++) {
                if (!equal(x.get(i), y.get(i))) {
                    return compare(x.get(i), y.get(i), operator);
                }
            }
            return Integer.compare(x.size(), y.size());
        }
        throw TemplateException.of("'" + operator + "' not supported between instances of '" + typeName(a) + "' and '" + typeName(b) + "'");
    }

    static boolean contains(Object container, Object element) {
        return switch (container) {
            case Undefined u -> false;
            case Text text -> text.value().contains(text(element, "'in <str>'").value());
            case List<?> list -> list.stream().anyMatch(other -> equal(other, element));
            case Map<?, ?> map -> map.containsKey(element);
            case null, default -> throw TemplateException.of("argument of type '" + typeName(container) + "' is not iterable");
        };
    }
}
