package dev.t2l.data;

import dev.t2l.text.ChatTemplate;
import dev.t2l.text.Message;
import dev.t2l.text.Segment;
import dev.t2l.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Prompts as a base model reads them in training and in evaluation: a user's message in its chat template, perhaps behind a system message, ready for an answer, or plain text. */
public final class ChatPrompts {
    private static final String ANSWER = "answer";

    private final Tokenizer tokenizer;
    private final Optional<ChatTemplate> template;
    private final Optional<String> system;

    /** @param template empty: plain text, nothing added */
    public ChatPrompts(Tokenizer tokenizer, Optional<ChatTemplate> template) {
        this(tokenizer, template, Optional.empty());
    }

    /**
     * @param system message before the user's, which may be empty; there is none without it
     * @throws IllegalArgumentException if there is one and no template
     */
    public ChatPrompts(Tokenizer tokenizer, Optional<ChatTemplate> template, Optional<String> system) {
        if (system.isPresent() && template.isEmpty()) {
            throw new IllegalArgumentException("a system message needs a chat template, and the model has none");
        }
        this.tokenizer = tokenizer;
        this.template = template;
        this.system = system;
    }

    /** Token ids of a prompt. */
    public int[] encode(String prompt) {
        return template.map(chat -> tokenizer.encode(chat.render(messages(prompt), ChatTemplate.Options.of(tokenizer, true)), false))
                .orElseGet(() -> tokenizer.encode(prompt, false, false));
    }

    private List<Message> messages(String prompt) {
        return system.map(text -> List.of(Message.system(text), Message.user(prompt))).orElseGet(() -> List.of(Message.user(prompt)));
    }

    /** Token ids of an answer, without its end. */
    public int[] encodeAnswer(String answer) {
        return tokenizer.encode(answer, false, false);
    }

    /** What ends an answer: one token, or none if the model has none. */
    public int[] end() {
        return template.map(this::turnEnd).filter(ids -> ids.length > 0).orElseGet(() -> tokenizer.eosId().stream().toArray());
    }

    /** The first token that ends a generation in what the template writes behind an answer. */
    private int[] turnEnd(ChatTemplate chat) {
        List<Segment> turn = chat.render(List.of(Message.user("question"), Message.assistant(ANSWER)), ChatTemplate.Options.of(tokenizer, false));
        List<Segment> behind = new ArrayList<>();
        for (Segment segment : turn) {
            if (!segment.template() && segment.text().strip().equals(ANSWER)) {
                behind.clear();
            } else {
                behind.add(segment);
            }
        }
        return Arrays.stream(tokenizer.encode(behind, false)).filter(tokenizer.endOfGenerationIds()::contains).limit(1).toArray();
    }
}
