package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** Python's {@code datetime.strftime} in the C locale. */
final class Strftime {
    private static final Map<Character, DateTimeFormatter> FIELDS = new HashMap<>();

    static {
        put("Y", "yyyy", "y", "yy", "m", "MM", "B", "MMMM", "b", "MMM", "h", "MMM", "d", "dd", "A", "EEEE", "a", "EEE", "H", "HH", "I", "hh", "M", "mm", "S", "ss",
                "p", "a", "j", "DDD", "f", "SSSSSS", "Z", "zzz", "z", "xx", "F", "yyyy-MM-dd", "T", "HH:mm:ss", "D", "MM/dd/yy", "R", "HH:mm", "X", "HH:mm:ss", "x", "MM/dd/yy");
    }

    private Strftime() {
    }

    private static void put(String... pairs) {
        for (int i = 0; i < pairs.length; i += 2) {
            FIELDS.put(pairs[i].charAt(0), DateTimeFormatter.ofPattern(pairs[i + 1], Locale.ENGLISH));
        }
    }

    static String format(String pattern, ZonedDateTime time) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < pattern.length(); i++) {
            char c = pattern.charAt(i);
            if (c != '%' || i + 1 == pattern.length()) {
                out.append(c);
                continue;
            }
            boolean unpadded = pattern.charAt(i + 1) == '-' && i + 2 < pattern.length();
            i += unpadded ? 2 : 1;
            char field = pattern.charAt(i);
            if (field == '%') {
                out.append('%');
            } else if (FIELDS.containsKey(field)) {
                String text = FIELDS.get(field).format(time);
                out.append(unpadded ? text.replaceFirst("^0+(?=.)", "") : text);
            } else {
                throw TemplateException.of("strftime_now: format %" + field + " is not supported");
            }
        }
        return out.toString();
    }
}
