package dev.t2l.data;

import dev.t2l.io.FormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Collectors;

/**
 * A map of a configuration file, read key by key: each value has a type and a default, and what nobody asked for is refused by
 * {@link #done}. What was read, defaults included, is kept in {@link #resolved}.
 */
public final class Section {
    private final Path file;
    private final String path;
    private final Map<?, ?> values;
    private final Map<String, Integer> lines;
    private final Map<String, Object> resolved = new LinkedHashMap<>();

    public Section(Path file, String path, Map<?, ?> values, Map<String, Integer> lines) {
        this.file = file;
        this.path = path;
        this.values = values;
        this.lines = lines;
    }

    /** A map inside this one; without any key if it is absent. */
    public Section section(String key) {
        Object value = values.get(key);
        if (value != null && !(value instanceof Map<?, ?>)) {
            throw problem(key, "wanted a map of keys and values, found " + FormatException.inWords(value));
        }
        var inner = new Section(file, pathOf(key), value == null ? Map.of() : (Map<?, ?>) value, lines);
        resolved.put(key, inner.resolved);
        return inner;
    }

    public boolean has(String key) {
        return values.get(key) != null;
    }

    public Optional<String> text(String key) {
        Object value = keep(key, values.get(key));
        if (value != null && !(value instanceof String)) {
            throw problem(key, "wanted text, found " + FormatException.inWords(value) + "; HINT: quote it");
        }
        return Optional.ofNullable((String) value);
    }

    public String text(String key, String missing) {
        String value = text(key).orElse(missing);
        keep(key, value);
        return value;
    }

    public boolean flag(String key, boolean missing) {
        Object value = values.get(key);
        if (value != null && !(value instanceof Boolean)) {
            throw problem(key, "wanted true or false, found " + FormatException.inWords(value));
        }
        return (boolean) keep(key, value == null ? missing : value);
    }

    /** An integer of at least {@code least}. */
    public int integer(String key, int missing, int least) {
        return integer(key, least).orElseGet(() -> (int) keep(key, missing));
    }

    public OptionalInt integer(String key, int least) {
        Object value = keep(key, values.get(key));
        if (value == null) {
            return OptionalInt.empty();
        }
        if (!(value instanceof Integer number) || number < least) {
            throw problem(key, "wanted an integer of at least " + least + ", found " + FormatException.inWords(value));
        }
        return OptionalInt.of(number);
    }

    public long seed(String key, long missing) {
        Object value = values.get(key);
        if (value != null && !(value instanceof Integer) && !(value instanceof Long)) {
            throw problem(key, "wanted an integer of at most 64 bits, found " + FormatException.inWords(value));
        }
        return (long) keep(key, value == null ? missing : ((Number) value).longValue());
    }

    /** A number of {@code least} to {@code most}, both allowed. */
    public double number(String key, double missing, double least, double most) {
        Object value = values.get(key);
        double number = switch (value) {
            case null -> missing;
            case Number n -> n.doubleValue();
            case String text -> parsed(text);
            default -> Double.NaN;
        };
        if (!(number >= least && number <= most)) {
            throw problem(key, "wanted a number " + (most == Double.MAX_VALUE ? "of at least " + least : "from " + least + " to " + most) + ", found " + FormatException.inWords(value));
        }
        return (double) keep(key, number);
    }

    private static double parsed(String text) {
        try {
            return Double.parseDouble(text);
        } catch (NumberFormatException _) {
            return Double.NaN;
        }
    }

    /** One of a few names, written in any case. */
    public <E extends Enum<E>> E choice(String key, E missing) {
        Object value = values.get(key);
        E[] all = missing.getDeclaringClass().getEnumConstants();
        E chosen = value == null ? missing : Arrays.stream(all).filter(e -> e.name().equalsIgnoreCase(String.valueOf(value))).findFirst()
                .orElseThrow(() -> problem(key, "wanted one of " + Arrays.stream(all).map(Section::word).collect(Collectors.joining(", ")) + ", found " + FormatException.inWords(value)));
        keep(key, word(chosen));
        return chosen;
    }

    private static String word(Enum<?> e) {
        return e.name().toLowerCase(Locale.ROOT);
    }

    public List<String> texts(String key, List<String> missing) {
        Object value = values.get(key);
        if (value == null) {
            keep(key, missing);
            return missing;
        }
        if (!(value instanceof List<?> list)) {
            throw problem(key, "wanted a list, found " + FormatException.inWords(value));
        }
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            if (!(list.get(i) instanceof String text)) {
                throw problem(key + "[" + i + "]", "wanted text, found " + FormatException.inWords(list.get(i)) + "; HINT: quote numbers and words such as yes");
            }
            texts.add(text);
        }
        keep(key, texts);
        return List.copyOf(texts);
    }

    /** The maps of a list. */
    public List<Section> sections(String key) {
        if (!(values.get(key) instanceof List<?> list)) {
            throw problem(key, "wanted a list of maps, found " + FormatException.inWords(values.get(key)));
        }
        keep(key, list);
        List<Section> sections = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            if (!(list.get(i) instanceof Map<?, ?> map)) {
                throw problem(key + "[" + i + "]", "wanted a map of keys and values, found " + FormatException.inWords(list.get(i)));
            }
            sections.add(new Section(file, pathOf(key) + "[" + i + "]", map, lines));
        }
        return sections;
    }

    /** As it stands, of any type, or null. */
    public Object any(String key) {
        return keep(key, values.get(key));
    }

    private Object keep(String key, Object value) {
        if (value == null) {
            resolved.putIfAbsent(key, null);
        } else {
            resolved.put(key, value);
        }
        return value;
    }

    /**
     * Refuses keys that nobody asked for.
     *
     * @throws FormatException naming the first, and the nearest key that there is
     */
    public void done() {
        for (Object key : values.keySet()) {
            if (!(key instanceof String name) || !resolved.containsKey(name)) {
                throw problem(String.valueOf(key), "no such key; HINT: " + Spelling.nearest(String.valueOf(key), resolved.keySet())
                        .map(near -> "did you mean '" + near + "'?").orElse("there are " + String.join(", ", resolved.keySet())));
            }
        }
    }

    /** What was read, with defaults; inner sections as maps; keys without a value left out. */
    public Map<String, Object> resolved() {
        return withoutNulls(resolved);
    }

    private static Map<String, Object> withoutNulls(Map<?, ?> map) {
        Map<String, Object> out = new LinkedHashMap<>();
        map.forEach((key, value) -> {
            if (value instanceof Map<?, ?> inner) {
                out.put(String.valueOf(key), withoutNulls(inner));
            } else if (value != null) {
                out.put(String.valueOf(key), value);
            }
        });
        return out;
    }

    private String pathOf(String key) {
        return path.isEmpty() ? key : path + "." + key;
    }

    /** A complaint that names file, line and key. */
    public FormatException problem(String key, String cause) {
        String at = pathOf(key);
        Integer line = lines.containsKey(at) ? lines.get(at) : lines.get(path);
        return new FormatException(file, (line == null ? "" : "line " + line + ", ") + "key '" + at + "'", cause);
    }
}
