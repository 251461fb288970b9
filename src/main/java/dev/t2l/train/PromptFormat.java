package dev.t2l.train;

import dev.t2l.LanguageModel;
import dev.t2l.text.ChatTemplate;
import dev.t2l.text.Message;
import dev.t2l.text.Segment;
import dev.t2l.text.Tokenizer;
import dev.t2l.text.Truncation;
import dev.t2l.train.TrainingConfig.Text;
import dev.t2l.train.TrainingTask.Example;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Examples as a base model reads them: prompt and response each tokenised by itself, nothing added, and the end of the turn behind the
 * response. The prompt is a user's message in the model's chat template, ready for an answer, or plain text.
 */
public final class PromptFormat {
    private static final String ANSWER = "answer";

    private final Tokenizer tokenizer;
    private final Optional<ChatTemplate> template;
    private final Text text;
    private final int[] end;

    /**
     * A prompt with its response.
     *
     * @param ids      of both
     * @param response so many of them, the last ones, are to be predicted
     * @param prompt   the text before it was put into a chat template and shortened
     */
    public record Tokens(int[] ids, int response, String prompt) {
        /** As transformers has them: {@link TrainingBatch#IGNORED} on the prompt. */
        public int[] labels() {
            int[] labels = ids.clone();
            Arrays.fill(labels, 0, ids.length - response, TrainingBatch.IGNORED);
            return labels;
        }

        /** Whether there is a token to predict: a sequence's first one has nothing before it. */
        public boolean predicts() {
            return response > 0 && ids.length > 1;
        }
    }

    PromptFormat(Tokenizer tokenizer, Optional<ChatTemplate> template, Text text) {
        this.tokenizer = tokenizer;
        this.template = template;
        this.text = text;
        this.end = template.map(this::turnEnd).filter(ids -> ids.length > 0).orElseGet(() -> tokenizer.eosId().stream().toArray());
    }

    /** @throws IllegalArgumentException if a chat template is wanted and the model has none */
    public static PromptFormat of(LanguageModel base, Text text) {
        Optional<ChatTemplate> template = base.chatTemplate();
        if (text.chat().orElse(false) && template.isEmpty()) {
            throw new IllegalArgumentException(base.path() + " has no chat template; HINT: text.chat: false trains on plain text");
        }
        return new PromptFormat(base.tokenizer(), text.chat().orElse(true) ? template : Optional.empty(), text);
    }

    /** What ends a response: one token, or none if the model has none. */
    public int[] end() {
        return end.clone();
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

    /** An example, shortened as the configuration says. */
    public Tokens tokenise(Example example) {
        int[] prompt = template.map(chat -> tokenizer.encode(chat.render(List.of(Message.user(example.prompt())), ChatTemplate.Options.of(tokenizer, true)), false))
                .orElseGet(() -> tokenizer.encode(example.prompt(), false, false));
        int[] response = tokenizer.encode(example.response(), false, false);
        return switch (text.truncation()) {
            case TOGETHER -> tokens(example, Truncation.longestFirst(prompt, joined(response, end), text.maxTokens(), Truncation.Side.LEFT));
            case APART -> tokens(example, new Truncation.Pair(Truncation.cut(prompt, text.maxPrompt(), Truncation.Side.LEFT),
                    joined(Truncation.cut(response, text.maxResponse(), Truncation.Side.RIGHT), end)));
        };
    }

    private static Tokens tokens(Example example, Truncation.Pair pair) {
        return new Tokens(pair.ids(), pair.second().length, example.prompt());
    }

    private static int[] joined(int[] first, int[] second) {
        return IntStream.concat(Arrays.stream(first), Arrays.stream(second)).toArray();
    }
}
