package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** {@code a.b}, {@code a[b]} and {@code a[b:c]}, in the order in which jinja2 looks: attributes first after a dot, items first in brackets. */
final class Attributes {
    private Attributes() {
    }

    static Object attribute(Object object, String name) {
        Values.defined(object);
        if (object instanceof Namespace namespace && namespace.attributes.containsKey(name)) {
            return namespace.attributes.get(name);
        }
        Object found = own(object, name);
        if (found != null) {
            return found;
        }
        Text key = Text.template(name);
        if (object instanceof Map<?, ?> map && map.containsKey(key)) {
            return map.get(key);
        }
        return missing(object, name);
    }

    static Object item(Object object, Object index) {
        Values.defined(object);
        if (object instanceof Map<?, ?> map && map.containsKey(index)) {
            return map.get(index);
        }
        if (object instanceof Namespace && index instanceof Text name) {
            return attribute(object, name.value());
        }
        if (index instanceof Text name) {
            Object found = own(object, name.value());
            return found != null ? found : missing(object, name.value());
        }
        if (index instanceof Long || index instanceof Boolean) {
            long place = Values.integer(index, "index");
            if (object instanceof List<?> list && inside(place, list.size())) {
                return list.get((int) (place < 0 ? place + list.size() : place));
            }
            if (object instanceof Text text && inside(place, text.points())) {
                return text.point((int) (place < 0 ? place + text.points() : place));
            }
        }
        return missing(object, Printing.str(index).value());
    }

    private static boolean inside(long place, int size) {
        return place >= -size && place < size;
    }

    private static Undefined missing(Object object, String name) {
        return new Undefined(object == null ? "'None' has no attribute '" + name + "'" : "'" + Values.typeName(object) + " object' has no attribute '" + name + "'");
    }

    /** A method or attribute that the value has by its type; null without one. */
    static Object own(Object object, String name) {
        return switch (object) {
            case Text text -> StringMethods.method(text, name);
            case Loop loop -> loop.attribute(name);
            case Map<?, ?> map -> mapMethod(map, name);
            case List<?> list -> listMethod(list, name);
            case null, default -> null;
        };
    }

    private static Callable mapMethod(Map<?, ?> map, String name) {
        return switch (name) {
            case "items" -> arguments -> items(map);
            case "keys" -> arguments -> new ArrayList<Object>(map.keySet());
            case "values" -> arguments -> new ArrayList<Object>(map.values());
            case "get" -> arguments -> {
                Object key = Values.defined(arguments.need(0, "key"));
                return map.containsKey(key) ? map.get(key) : arguments.get(1, "default", null);
            };
            case "copy" -> arguments -> new LinkedHashMap<Object, Object>(map);
            case "clear", "pop", "popitem", "setdefault", "update" -> forbidden("dict." + name);
            default -> null;
        };
    }

    static List<Object> items(Map<?, ?> map) {
        List<Object> items = new ArrayList<>(map.size());
        map.forEach((key, value) -> items.add(Tuple.of(key, value)));
        return items;
    }

    private static Callable listMethod(List<?> list, String name) {
        return switch (name) {
            case "index" -> arguments -> {
                for (int i = 0; i < list.size(); i++) {
                    if (Values.equal(list.get(i), arguments.need(0, "value"))) {
                        return (long) i;
                    }
                }
                throw TemplateException.of("list.index: the value is not in the list");
            };
            case "count" -> arguments -> list.stream().filter(element -> Values.equal(element, arguments.need(0, "value"))).count();
            case "copy" -> arguments -> new ArrayList<Object>(list);
            case "append", "extend", "insert", "pop", "remove", "clear", "reverse", "sort" -> forbidden("list." + name);
            default -> null;
        };
    }

    private static Callable forbidden(String method) {
        return arguments -> {
            throw TemplateException.of("access to '" + method + "' is unsafe: a template may not change its values");
        };
    }

    static Object slice(Object object, Object start, Object stop, Object step) {
        Values.defined(object);
        long stride = step == null ? 1 : Values.integer(step, "slice step");
        if (stride == 0) {
            throw TemplateException.of("slice step cannot be zero");
        }
        int size = object instanceof Text text ? text.points() : object instanceof List<?> list ? list.size() : -1;
        if (size < 0) {
            throw TemplateException.of("'" + Values.typeName(object) + "' object cannot be sliced");
        }
        long from = bound(start, size, stride, stride > 0 ? 0 : size - 1);
        long to = bound(stop, size, stride, stride > 0 ? size : -1);
        if (object instanceof Text text && stride == 1) {
            return from < to ? text.substring(text.offset((int) from), text.offset((int) to)) : Text.EMPTY;
        }
        List<?> elements = object instanceof Text text ? text.characters() : (List<?>) object;
        List<Object> taken = new ArrayList<>();
        for (long i = from; stride > 0 ? i < to : i > to; i += stride) {
            taken.add(elements.get((int) i));
        }
        if (object instanceof Text) {
            Text.Builder joined = new Text.Builder();
            taken.forEach(character -> joined.append((Text) character));
            return joined.build();
        }
        return object instanceof Tuple ? new Tuple(taken) : taken;
    }

    private static long bound(Object value, int size, long stride, long otherwise) {
        if (value == null) {
            return otherwise;
        }
        long place = Values.integer(value, "slice bound");
        long positive = place < 0 ? place + size : place;
        return stride > 0 ? Math.clamp(positive, 0, size) : Math.clamp(positive, -1, size - 1L);
    }
}
