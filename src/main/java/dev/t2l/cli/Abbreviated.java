package dev.t2l.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Values of metadata cut to what fits a line or two. */
final class Abbreviated {
    private static final int TEXT = 160;
    private static final int ELEMENTS = 16;
    private static final int SHOWN = 6;

    private Abbreviated() {
    }

    /** Long texts lose their end, of long arrays the first elements and their number remain. */
    static Object of(Object value) {
        return switch (value) {
            case null -> "null";
            case String text -> text(text);
            case List<?> list -> list(list);
            case Map<?, ?> map -> map(map);
            default -> value.getClass().isArray() ? list(elements(value)) : value;
        };
    }

    static Map<String, Object> map(Map<?, ?> map) {
        Map<String, Object> result = new LinkedHashMap<>();
        map.forEach((key, value) -> result.put(text(key.toString()), of(value)));
        return result;
    }

    /** The members of a JSON object; those of objects inside it by dotted names. */
    static Map<String, Object> members(JsonNode object) {
        Map<String, Object> members = new LinkedHashMap<>();
        object.properties().forEach(e -> {
            if (e.getValue().isObject() && !e.getValue().isEmpty()) {
                members(e.getValue()).forEach((key, value) -> members.put(e.getKey() + "." + key, value));
            } else {
                members.put(e.getKey(), of(plain(e.getValue())));
            }
        });
        return members;
    }

    private static Object plain(JsonNode value) {
        if (value.isArray()) {
            return value.valueStream().map(Abbreviated::plain).collect(Collectors.toCollection(ArrayList::new));
        }
        return value.isNumber() ? value.numberValue() : value.isBoolean() ? (Object) value.booleanValue() : value.isTextual() ? value.textValue() : value.toString();
    }

    private static String text(String text) {
        String line = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t");
        int end = Math.min(line.length(), TEXT);
        boolean cutsPair = end < line.length() && Character.isHighSurrogate(line.charAt(end - 1));
        return end == line.length() ? line : line.substring(0, cutsPair ? end - 1 : end) + "\u2026 (" + text.length() + " characters)";
    }

    private static Object list(List<?> list) {
        if (list.size() <= ELEMENTS) {
            return list.stream().map(Abbreviated::of).toList();
        }
        return list.subList(0, SHOWN).stream().map(e -> String.valueOf(of(e))).collect(Collectors.joining(", ", "[", ", \u2026 " + list.size() + " in all]"));
    }

    private static List<Object> elements(Object array) {
        List<Object> elements = new ArrayList<>();
        for (int i = 0; i < Array.getLength(array); i++) {
            elements.add(Array.get(array, i));
        }
        return elements;
    }
}
