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

    /** A conversation that begins with a user's message. */
    public static Chat user(String content) {
        return new Chat(List.of()).with("user", content);
    }

    /** A conversation that begins with instructions to the model. */
    public static Chat system(String content) {
        return new Chat(List.of()).with("system", content);
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
