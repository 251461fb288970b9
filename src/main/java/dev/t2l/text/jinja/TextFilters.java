package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Filters that give text. */
final class TextFilters {
    private static final Pattern WORD = Pattern.compile("[-\\s({\\[<]+|[^-\\s({\\[<]+", Pattern.UNICODE_CHARACTER_CLASS);

    private TextFilters() {
    }

    static void addTo(Map<String, Filters.Filter> filters) {
        filters.put("string", (value, a) -> Printing.str(value));
        filters.put("safe", (value, a) -> Printing.str(value));
        filters.put("escape", (value, a) -> escape(Printing.str(value)));
        filters.put("e", filters.get("escape"));
        filters.put("upper", (value, a) -> rewrite(value, text -> text.toUpperCase(Locale.ROOT)));
        filters.put("lower", (value, a) -> rewrite(value, text -> text.toLowerCase(Locale.ROOT)));
        filters.put("capitalize", (value, a) -> rewrite(value, PythonText::capitalize));
        filters.put("title", (value, a) -> rewrite(value, TextFilters::title));
        filters.put("trim", (value, a) -> {
            Text characters = a.textOrNull(0, "chars");
            return PythonText.strip(Printing.str(value), characters == null ? null : characters.value(), true, true);
        });
        filters.put("replace", (value, a) -> StringMethods.replace(Printing.str(value), Printing.str(a.need(0, "old")), Printing.str(a.need(1, "new")), count(a)));
        filters.put("format", (value, a) -> Printf.format(Printing.str(value), a.named().isEmpty() ? new Tuple(a.positional()) : named(a)));
        filters.put("indent", TextFilters::indent);
        filters.put("center", (value, a) -> center(Printing.str(value), a.integer(0, "width", 80)));
        filters.put("truncate", TextFilters::truncate);
        filters.put("tojson", TextFilters::toJson);
        filters.put("wordcount", (value, a) -> (long) ((List<?>) StringMethods.method(Printing.str(value), "split").call(new CallArguments("split", List.of(), Map.of()))).size());
    }

    private interface Rewrite {
        String apply(String text);
    }

    private static Text rewrite(Object value, Rewrite rewrite) {
        Text text = Printing.str(value);
        return text.rewritten(rewrite.apply(text.value()));
    }

    /** Only the first letter after a blank or an opening bracket is a capital, unlike {@code str.title}. */
    private static String title(String text) {
        StringBuilder out = new StringBuilder(text.length());
        Matcher words = WORD.matcher(text);
        while (words.find()) {
            out.append(PythonText.capitalize(words.group()));
        }
        return out.toString();
    }

    private static long count(CallArguments arguments) {
        Object count = arguments.get(2, "count", null);
        return count == null ? -1 : Values.integer(count, "replace, argument 'count'");
    }

    private static Object named(CallArguments arguments) {
        Map<Object, Object> map = new LinkedHashMap<>();
        arguments.named().forEach((name, value) -> map.put(Text.template(name), value));
        return map;
    }

    private static Text escape(Text text) {
        Text.Builder out = new Text.Builder();
        for (Text.Run run : text.runs()) {
            out.append(run.value().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;").replace("\"", "&#34;"), run.isData());
        }
        return out.build();
    }

    private static Text indent(Object value, CallArguments arguments) {
        Object width = arguments.get(0, "width", 4L);
        Text margin = width instanceof Text text ? text : Text.template(" ".repeat((int) Math.clamp(Values.integer(width, "indent, argument 'width'"), 0, 1000)));
        boolean first = arguments.flag(1, "first", false);
        boolean blank = arguments.flag(2, "blank", false);
        Text text = Printing.str(value);
        Text.Builder out = new Text.Builder();
        int start = 0;
        while (true) {
            int end = text.value().indexOf('\n', start);
            Text line = text.substring(start, end < 0 ? text.length() : end);
            boolean indents = start == 0 ? first : blank || !line.isEmpty();
            out.append(indents ? margin : Text.EMPTY).append(line);
            Budget.charge(margin.length());
            if (end < 0) {
                return out.build();
            }
            out.append("\n", false);
            start = end + 1;
        }
    }

    private static Text center(Text text, long width) {
        long missing = Math.clamp(width, 0, 10_000) - text.points();
        if (missing <= 0) {
            return text;
        }
        int left = (int) (missing / 2 + (missing & width & 1));
        return Text.template(" ".repeat(left)).concat(text).concat(Text.template(" ".repeat((int) missing - left)));
    }

    private static Text truncate(Object value, CallArguments arguments) {
        Text text = Printing.str(value);
        long length = arguments.integer(0, "length", 255);
        boolean killWords = arguments.flag(1, "killwords", false);
        Object end = arguments.get(2, "end", Text.template("..."));
        Object given = arguments.get(3, "leeway", null);
        long leeway = given == null ? 5 : Values.integer(given, "truncate, argument 'leeway'");
        Text tail = Values.text(end, "truncate, argument 'end'");
        if (length < tail.points() || leeway < 0) {
            throw TemplateException.of("truncate: wanted a length of at least " + tail.points() + " and a leeway of 0 or more");
        }
        if (text.points() <= length + leeway) {
            return text;
        }
        Text cut = text.substring(0, text.offset((int) (length - tail.points())));
        int space = cut.value().lastIndexOf(' ');
        return (killWords || space < 0 ? cut : cut.substring(0, space)).concat(tail);
    }

    /** Hugging Face's {@code tojson}: {@code json.dumps} with ensure_ascii off. */
    private static Text toJson(Object value, CallArguments arguments) {
        boolean ascii = arguments.flag(0, "ensure_ascii", false);
        Object indent = arguments.get(1, "indent", null);
        String level = indent == null ? null : indent instanceof Text text ? text.value() : " ".repeat((int) Math.clamp(Values.integer(indent, "tojson, argument 'indent'"), 0, 100));
        Object separators = arguments.get(2, "separators", null);
        String item = level == null ? ", " : ",";
        String key = ": ";
        if (separators instanceof List<?> two && two.size() == 2) {
            item = Values.text(two.get(0), "tojson, separators").value();
            key = Values.text(two.get(1), "tojson, separators").value();
        }
        return new Json(ascii, level, item, key, arguments.flag(3, "sort_keys", false)).write(value);
    }
}
