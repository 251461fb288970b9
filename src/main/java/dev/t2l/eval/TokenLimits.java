package dev.t2l.eval;

import dev.t2l.data.ChatPrompts;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Stream;

/**
 * How many new tokens an answer may have. Where it must equal an accepted one: {@value #MARGIN} more than the task's longest, so that no longer
 * answer could have been right, and none is cut off where it is. Where words are compared, so many times as many.
 */
final class TokenLimits {
    static final int MARGIN = 16;
    static final int NUMERIC = 256;
    static final int WORDS = 128;
    static final int PROGRAM = 512;

    private final ChatPrompts prompts;
    private final OptionalInt fixed;
    private final Map<String, Integer> known = new HashMap<>();

    TokenLimits(ChatPrompts prompts, OptionalInt fixed) {
        this.prompts = prompts;
        this.fixed = fixed;
    }

    int of(EvalTask task) {
        return fixed.orElseGet(() -> known.computeIfAbsent(task.name(), _ -> switch (task.metric()) {
            case EXACT_MATCH, MULTIPLE_CHOICE, FIRST_CHARACTER, TRUE_OR_FALSE -> MARGIN + longest(task);
            case NUMERIC -> NUMERIC;
            case PASS_AT_1 -> PROGRAM;
            case ROUGE_L -> WORDS;
        }));
    }

    private int longest(EvalTask task) {
        return Stream.concat(task.train().stream(), task.tests().stream()).flatMap(example -> Stream.concat(example.outputs().stream(), example.options().stream()))
                .distinct().mapToInt(answer -> prompts.encodeAnswer(answer).length).max().orElse(1);
    }
}
