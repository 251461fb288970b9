package dev.t2l.data;

import dev.t2l.text.ChatTemplate;
import dev.t2l.text.Message;
import dev.t2l.text.Segment;
import dev.t2l.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Prompts as a base model reads them in training and in evaluation: a user's message in its chat template, ready for an answer, or plain text. */
public final class ChatPrompts {
    private static final String ANSWER = "answer";

    private final Tokenizer tokenizer;
    private final Optional<ChatTemplate> template;

    /** @param template empty: plain text, nothing added */
    public ChatPrompts(Tokenizer tokenizer, Optional<ChatTemplate> template) {
        this.tokenizer = tokenizer;
        this.template = template;
    }

    /** Token ids of a prompt. */
    public int[] encode(String prompt) {
        return template.map(chat -> tokenizer.encode(chat.render(List.of(Message.user(prompt)), ChatTemplate.Options.of(tokenizer, true)), false))
                .orElseGet(() -> tokenizer.encode(prompt, false, false));
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
