package dev.t2l;

import dev.t2l.text.Message;
import java.util.ArrayList;
import java.util.List;

/** A conversation. Immutable: each method returns a longer one. */
public final class Chat {
    private final List<Message> messages;

    private Chat(List<Message> messages) {
        this.messages = List.copyOf(messages);
    }

    /** A conversation without a message, to be continued. */
    public static Chat empty() {
        return new Chat(List.of());
    }

    /** A conversation that begins with a user's message. */
    public static Chat user(String content) {
        return empty().thenUser(content);
    }

    /** A conversation that begins with instructions to the model. */
    public static Chat system(String content) {
        return empty().with("system", content);
    }

    public Chat thenUser(String content) {
        return with("user", content);
    }

    public Chat thenAssistant(String content) {
        return with("assistant", content);
    }

    /** One more message of any role that the model's template knows. */
    public Chat with(String role, String content) {
        var longer = new ArrayList<>(messages);
        longer.add(new Message(role, content));
        return new Chat(longer);
    }

    List<Message> messages() {
        return messages;
    }
}
