package dev.t2l.train;

import dev.t2l.data.JsonRecords;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A text with places for a record's fields, <code>"{question}\n{choices}"</code>; <code>{{</code> and <code>}}</code> are braces. A list
 * becomes its elements, one a line.
 */
final class PromptTemplate {
    private static final Pattern PLACE = Pattern.compile("\\{\\{|}}|\\{([^{}]*)}|[{}]");

    /** Text as it is, or the name of a field. */
    private record Part(String text, boolean field) {
    }

    private final List<Part> parts = new ArrayList<>();

    /** @throws IllegalArgumentException for a brace without partner, or a field without name */
    PromptTemplate(String source) {
        Matcher m = PLACE.matcher(source);
        int from = 0;
        while (m.find()) {
            parts.add(new Part(source.substring(from, m.start()), false));
            from = m.end();
            switch (m.group()) {
                case "{{", "}}" -> parts.add(new Part(m.group().substring(1), false));
                case "{", "}", "{}" -> throw new IllegalArgumentException("template '" + source + "': '" + m.group() + "' at character " + m.start()
                        + " names no field; HINT: a brace itself is written twice");
                default -> parts.add(new Part(m.group(1).strip(), true));
            }
        }
        parts.add(new Part(source.substring(from), false));
    }

    /** @throws dev.t2l.io.FormatException if the record lacks a field */
    String fill(JsonRecords record) {
        var text = new StringBuilder();
        for (Part part : parts) {
            boolean list = part.field() && record.has(part.text()) && record.object().get(part.text()).isArray();
            text.append(!part.field() ? part.text() : list ? String.join("\n", record.texts(part.text())) : record.text(part.text()));
        }
        return text.toString();
    }
}
