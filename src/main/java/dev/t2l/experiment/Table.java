package dev.t2l.experiment;

import dev.t2l.data.MarkdownTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Rows of values, for people as Markdown and for programs as JSON objects. */
public final class Table {
    private final String title;
    private final List<Heading> headings;
    private final List<List<Object>> rows = new ArrayList<>();

    /** How a column's values are shown to people; a program gets them as they are. */
    public enum Unit {
        /** Text, or a whole number. */
        PLAIN("%s"),
        /** A whole number of many digits. */
        COUNT("%,d"),
        /** A share of 1, shown in per cent. */
        PERCENT("%.1f"),
        /** To four decimals. */
        NUMBER("%.4f"),
        /** Of any size, to one decimal: MiB, seconds. */
        TENTHS("%,.1f"),
        /** To two decimals: milliseconds, ratios. */
        HUNDREDTHS("%,.2f");

        private final String format;

        Unit(String format) {
            this.format = format;
        }

        private String show(Object value) {
            return switch (value) {
                case null -> "";
                case Double number when this == PERCENT -> String.format(Locale.ROOT, format, 100 * number);
                default -> String.format(Locale.ROOT, format, value);
            };
        }
    }

    /**
     * Of a column.
     *
     * @param key   for programs
     * @param title for people
     */
    public record Heading(String key, String title, Unit unit) {
    }

    /** @param title may be empty, if there is no other table */
    public Table(String title, List<Heading> headings) {
        this.title = title;
        this.headings = List.copyOf(headings);
    }

    /**
     * Adds a row.
     *
     * @param values one a heading: texts, integers, doubles; null where there is none, and so is a double that is no finite number
     */
    public void add(Object... values) {
        if (values.length != headings.size()) {
            throw new IllegalArgumentException("wanted " + headings.size() + " values " + headings.stream().map(Heading::key).toList() + ", found " + values.length);
        }
        List<Object> row = new ArrayList<>(Arrays.asList(values));
        row.replaceAll(value -> value instanceof Double number && !Double.isFinite(number) ? null : value);
        rows.add(row);
    }

    /** A share of 1 as tables show it. */
    static String percent(double share) {
        return Unit.PERCENT.show(share);
    }

    String markdown() {
        List<List<String>> lines = new ArrayList<>();
        lines.add(headings.stream().map(Heading::title).toList());
        for (List<Object> row : rows) {
            List<String> line = new ArrayList<>();
            for (int i = 0; i < row.size(); i++) {
                line.add(headings.get(i).unit().show(row.get(i)));
            }
            lines.add(line);
        }
        return (title.isEmpty() ? "" : "**" + title + "**\n\n") + MarkdownTable.text(lines);
    }

    /** A row each: the title, then the values by their keys. */
    List<Map<String, Object>> lines() {
        return rows.stream().map(row -> {
            Map<String, Object> line = new LinkedHashMap<>();
            if (!title.isEmpty()) {
                line.put("table", title);
            }
            for (int i = 0; i < row.size(); i++) {
                if (row.get(i) != null) {
                    line.put(headings.get(i).key(), row.get(i));
                }
            }
            return line;
        }).toList();
    }
}
