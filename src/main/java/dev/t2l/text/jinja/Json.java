package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Python's {@code json.dumps}, as the {@code tojson} of chat templates calls it: no HTML escapes, non-ASCII kept unless asked for.
 *
 * @param ascii         escape what is not ASCII
 * @param indent        text of one level; null for one line
 * @param itemSeparator between elements
 * @param keySeparator  between key and value
 * @param sortKeys      keys in order
 */
record Json(boolean ascii, String indent, String itemSeparator, String keySeparator, boolean sortKeys) {
    Text write(Object value) {
        Text.Builder out = new Text.Builder();
        write(value, 0, out);
        return out.build();
    }

    private void write(Object value, int depth, Text.Builder out) {
        Budget.step();
        switch (value) {
            case null -> out.append("null", false);
            case Boolean b -> out.append(b.toString(), false);
            case Long n -> out.append(n.toString(), false);
            case Double x -> out.append(real(x), false);
            case Text text -> out.append(quoted(text.value()), text.hasData());
            case List<?> list -> writeAll("[", "]", list, depth, out);
            case Map<?, ?> map -> writeAll("{", "}", entries(map), depth, out);
            default -> throw TemplateException.of("tojson: object of type " + Values.typeName(value) + " is not JSON serializable");
        }
    }

    private record Entry(Text key, Object value) {
    }

    private List<Entry> entries(Map<?, ?> map) {
        List<Entry> entries = new ArrayList<>();
        map.forEach((key, value) -> entries.add(new Entry(key(key), value)));
        if (sortKeys) {
            entries.sort((a, b) -> a.key.compareTo(b.key));
        }
        return entries;
    }

    private static Text key(Object key) {
        return switch (key) {
            case Text text -> text;
            case null -> Text.template("null");
            case Boolean b -> Text.template(b.toString());
            case Long n -> Text.template(n.toString());
            case Double x -> Text.template(real(x));
            default -> throw TemplateException.of("tojson: keys must be str, int, float, bool or None, not " + Values.typeName(key));
        };
    }

    private void writeAll(String open, String close, List<?> elements, int depth, Text.Builder out) {
        out.append(open, false);
        String separator = "";
        for (Object element : elements) {
            out.append(separator, false);
            newLine(depth + 1, out);
            if (element instanceof Entry entry) {
                out.append(quoted(entry.key.value()), entry.key.hasData()).append(keySeparator, false);
                write(entry.value, depth + 1, out);
            } else {
                write(element, depth + 1, out);
            }
            separator = itemSeparator;
        }
        if (!elements.isEmpty()) {
            newLine(depth, out);
        }
        out.append(close, false);
    }

    private void newLine(int depth, Text.Builder out) {
        if (indent != null) {
            out.append("\n" + indent.repeat(depth), false);
        }
    }

    private static String real(double value) {
        return Double.isNaN(value) ? "NaN" : Double.isInfinite(value) ? value > 0 ? "Infinity" : "-Infinity" : Printing.real(value);
    }

    private String quoted(String text) {
        StringBuilder out = new StringBuilder(text.length() + 2).append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    if (c < 0x20 || ascii && c > 0x7E) {
                        out.append("\\u%04x".formatted((int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        return out.append('"').toString();
    }
}
