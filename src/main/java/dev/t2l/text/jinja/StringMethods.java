package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;

/** Methods of Python's {@code str}. */
final class StringMethods {
    private StringMethods() {
    }

    /** The method of a name, bound to the text; null without one. */
    static Callable method(Text text, String name) {
        String value = text.value();
        return switch (name) {
            case "strip" -> a -> PythonText.strip(text, characters(a), true, true);
            case "lstrip" -> a -> PythonText.strip(text, characters(a), true, false);
            case "rstrip" -> a -> PythonText.strip(text, characters(a), false, true);
            case "upper" -> a -> text.rewritten(value.toUpperCase(Locale.ROOT));
            case "lower" -> a -> text.rewritten(value.toLowerCase(Locale.ROOT));
            case "title" -> a -> text.rewritten(PythonText.title(value));
            case "capitalize" -> a -> text.rewritten(PythonText.capitalize(value));
            case "startswith" -> a -> anyAffix(a, value::startsWith);
            case "endswith" -> a -> anyAffix(a, value::endsWith);
            case "replace" -> a -> replace(text, a.text(0, "old"), a.text(1, "new"), a.integer(2, "count", -1));
            case "split" -> a -> split(text, a.textOrNull(0, "sep"), a.integer(1, "maxsplit", -1));
            case "rsplit" -> a -> splitFromRight(text, a.textOrNull(0, "sep"), a.integer(1, "maxsplit", -1));
            case "splitlines" -> a -> lines(text, a.flag(0, "keepends", false));
            case "partition" -> a -> partition(text, a.text(0, "sep"), value.indexOf(a.text(0, "sep").value()), false);
            case "rpartition" -> a -> partition(text, a.text(0, "sep"), value.lastIndexOf(a.text(0, "sep").value()), true);
            case "join" -> a -> join(text, Values.iterate(a.need(0, "iterable")));
            case "find" -> a -> place(value, value.indexOf(a.text(0, "sub").value()));
            case "rfind" -> a -> place(value, value.lastIndexOf(a.text(0, "sub").value()));
            case "index" -> a -> found(place(value, value.indexOf(a.text(0, "sub").value())));
            case "count" -> a -> count(value, a.text(0, "sub").value());
            case "removeprefix" -> a -> value.startsWith(a.text(0, "prefix").value()) ? text.substring(a.text(0, "prefix").length(), text.length()) : text;
            case "removesuffix" -> a -> value.endsWith(a.text(0, "suffix").value()) ? text.substring(0, text.length() - a.text(0, "suffix").length()) : text;
            case "isdigit", "isdecimal", "isnumeric" -> a -> all(value, Character::isDigit);
            case "isalpha" -> a -> all(value, Character::isLetter);
            case "isalnum" -> a -> all(value, Character::isLetterOrDigit);
            case "isspace" -> a -> all(value, PythonText::isSpace);
            case "isupper" -> a -> value.codePoints().anyMatch(Character::isUpperCase) && value.codePoints().noneMatch(Character::isLowerCase);
            case "islower" -> a -> value.codePoints().anyMatch(Character::isLowerCase) && value.codePoints().noneMatch(Character::isUpperCase);
            case "format" -> a -> format(text, a);
            default -> null;
        };
    }

    private static String characters(CallArguments arguments) {
        Text characters = arguments.textOrNull(0, "chars");
        return characters == null ? null : characters.value();
    }

    private interface Affix {
        boolean matches(String affix);
    }

    private static boolean anyAffix(CallArguments arguments, Affix affix) {
        if (arguments.need(0, "affix") instanceof Tuple several) {
            return several.stream().anyMatch(one -> affix.matches(Values.text(one, arguments.what()).value()));
        }
        return affix.matches(arguments.text(0, "affix").value());
    }

    static Text replace(Text text, Text old, Text replacement, long count) {
        Text.Builder out = new Text.Builder();
        String value = text.value();
        int done = 0;
        int at = value.indexOf(old.value());
        for (long n = 0; at >= 0 && n != count; n++) {
            out.append(text.substring(done, at)).append(replacement);
            Budget.charge(replacement.length());
            done = at + old.length();
            if (!old.isEmpty()) {
                at = value.indexOf(old.value(), done);
            } else if (at < value.length()) {
                at += Character.charCount(value.codePointAt(at));
            } else {
                break;
            }
        }
        return out.append(text.substring(done, text.length())).build();
    }

    private static List<Object> split(Text text, Text separator, long most) {
        return separator == null ? words(text, most) : pieces(text, separator, most);
    }

    private static List<Object> words(Text text, long most) {
        List<Object> words = new ArrayList<>();
        Text rest = PythonText.strip(text, null, true, false);
        while (!rest.isEmpty()) {
            if (words.size() == most) {
                words.add(PythonText.strip(rest, null, false, true));
                return words;
            }
            int end = 0;
            while (end < rest.length() && !PythonText.isSpace(rest.value().charAt(end))) {
                end++;
            }
            words.add(rest.substring(0, end));
            rest = PythonText.strip(rest.substring(end, rest.length()), null, true, false);
        }
        return words;
    }

    private static List<Object> pieces(Text text, Text separator, long most) {
        if (separator.isEmpty()) {
            throw TemplateException.of("str.split: empty separator");
        }
        List<Object> pieces = new ArrayList<>();
        int done = 0;
        for (int at = text.value().indexOf(separator.value()); at >= 0 && pieces.size() != most; at = text.value().indexOf(separator.value(), done)) {
            pieces.add(text.substring(done, at));
            done = at + separator.length();
        }
        pieces.add(text.substring(done, text.length()));
        return pieces;
    }

    private static List<Object> splitFromRight(Text text, Text separator, long most) {
        List<Object> pieces = split(text, separator, -1);
        if (most < 0 || pieces.size() <= most + 1) {
            return pieces;
        }
        List<Object> result = new ArrayList<>();
        Text rest = PythonText.strip(text, separator == null ? null : "", false, true);
        for (long n = 0; n < most; n++) {
            int at = separator == null ? lastSpace(rest.value()) : rest.value().lastIndexOf(separator.value());
            int width = separator == null ? 1 : separator.length();
            result.add(0, rest.substring(at + width, rest.length()));
            rest = rest.substring(0, at);
            rest = separator == null ? PythonText.strip(rest, null, false, true) : rest;
        }
        result.add(0, rest);
        return result;
    }

    private static int lastSpace(String text) {
        int at = text.length() - 1;
        while (!PythonText.isSpace(text.charAt(at))) {
            at--;
        }
        return at;
    }

    private static List<Object> lines(Text text, boolean keepEnds) {
        List<Object> lines = new ArrayList<>();
        String value = text.value();
        int start = 0;
        for (int i = 0; i < value.length(); i++) {
            if ("\n\r\u000B\u000C\u001C\u001D\u001E\u0085\u2028\u2029".indexOf(value.charAt(i)) >= 0) {
                int end = value.startsWith("\r\n", i) ? i + 2 : i + 1;
                lines.add(text.substring(start, keepEnds ? end : i));
                start = end;
                i = end - 1;
            }
        }
        if (start < value.length()) {
            lines.add(text.substring(start, value.length()));
        }
        return lines;
    }

    private static Tuple partition(Text text, Text separator, int at, boolean fromRight) {
        if (at < 0) {
            return new Tuple(fromRight ? List.of(Text.EMPTY, Text.EMPTY, text) : List.of(text, Text.EMPTY, Text.EMPTY));
        }
        int end = at + separator.length();
        return new Tuple(List.of(text.substring(0, at), text.substring(at, end), text.substring(end, text.length())));
    }

    private static Text join(Text separator, List<Object> parts) {
        Text.Builder out = new Text.Builder();
        for (int i = 0; i < parts.size(); i++) {
            out.append(i > 0 ? separator : Text.EMPTY).append(Values.text(parts.get(i), "str.join, item " + i));
            Budget.charge(separator.length());
        }
        return out.build();
    }

    private static long place(String value, int offset) {
        return offset < 0 ? -1 : value.codePointCount(0, offset);
    }

    private static long found(long place) {
        if (place < 0) {
            throw TemplateException.of("str.index: substring not found");
        }
        return place;
    }

    private static long count(String value, String part) {
        if (part.isEmpty()) {
            return value.codePointCount(0, value.length()) + 1L;
        }
        long count = 0;
        for (int at = value.indexOf(part); at >= 0; at = value.indexOf(part, at + part.length())) {
            count++;
        }
        return count;
    }

    private static boolean all(String value, IntPredicate predicate) {
        return !value.isEmpty() && value.codePoints().allMatch(predicate);
    }

    /** Fields without a format: {@code {}}, {@code {0}}, {@code {name}}. */
    private static Text format(Text text, CallArguments arguments) {
        Text.Builder out = new Text.Builder();
        String value = text.value();
        int automatic = 0;
        for (int i = 0; i < value.length();) {
            char c = value.charAt(i);
            if ((c == '{' || c == '}') && value.startsWith(String.valueOf(c), i + 1)) {
                out.append(text.substring(i, i + 1));
                i += 2;
            } else if (c == '{') {
                int end = value.indexOf('}', i);
                String field = end < 0 ? "{" : value.substring(i + 1, end);
                if (end < 0 || !field.matches("\\w*")) {
                    throw TemplateException.of("str.format: field '" + field + "' is not supported; wanted {}, {0} or {name}");
                }
                boolean numbered = field.matches("\\d{1,4}");
                int place = field.isEmpty() ? automatic++ : numbered ? Integer.parseInt(field) : Integer.MAX_VALUE;
                out.append(Printing.str(arguments.need(place, field)));
                i = end + 1;
            } else {
                out.append(text.substring(i, i + 1));
                i++;
            }
        }
        return out.build();
    }
}
