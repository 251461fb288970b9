package dev.t2l.text;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One turn of a conversation. All of it but a role that is one plain word is data to a chat template: it is printed, never evaluated,
 * and never read as control tokens.
 *
 * @param role    who speaks: {@code system}, {@code user}, {@code assistant}, {@code tool}
 * @param content text, or what else a template takes (a list of parts); may be null beside tool calls
 * @param more    further keys that a template may look at, such as {@code name}
 */
public record Message(String role, Object content, Map<String, Object> more) {
    public Message {
        more = Collections.unmodifiableMap(new LinkedHashMap<>(more));
    }

    public Message(String role, String content) {
        this(role, content, Map.of());
    }

    public static Message system(String content) {
        return new Message("system", content);
    }

    public static Message user(String content) {
        return new Message("user", content);
    }

    public static Message assistant(String content) {
        return new Message("assistant", content);
    }
}
