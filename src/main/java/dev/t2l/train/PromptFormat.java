package dev.t2l.train;

import dev.t2l.LanguageModel;
import dev.t2l.data.ChatPrompts;
import dev.t2l.text.ChatTemplate;
import dev.t2l.text.Tokenizer;
import dev.t2l.text.Truncation;
import dev.t2l.train.TrainingConfig.Text;
import dev.t2l.train.TrainingTask.Example;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Examples as a base model reads them: prompt and response each tokenised by itself, nothing added, and the end of the turn behind the
 * response. Prompts are {@link ChatPrompts}.
 */
public final class PromptFormat {
    private final ChatPrompts prompts;
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
        this.prompts = new ChatPrompts(tokenizer, template);
        this.text = text;
        this.end = prompts.end();
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

    /** An example, shortened as the configuration says. */
    public Tokens tokenise(Example example) {
        int[] prompt = prompts.encode(example.prompt());
        int[] response = prompts.encodeAnswer(example.response());
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
