package dev.t2l.experiment;

import dev.t2l.LanguageModel;
import dev.t2l.data.ChatPrompts;
import dev.t2l.eval.Asking;
import dev.t2l.eval.Column;
import dev.t2l.eval.EvalExample;
import dev.t2l.eval.EvalTask;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;

/**
 * Tokens of a task's query, on average.
 *
 * @param description of the task, as the text encoder reads it
 * @param prompt      the input in its chat template: all that a model with an adapter reads
 * @param shots       the same with description and three examples before it
 * @param shared      of those, how many from the beginning are the same for all inputs of a task
 * @param answer      new ones
 */
record QueryLengths(int description, int prompt, int shots, int shared, int answer) {
    /**
     * The means over the 19 unseen tasks of the suite that are no programs, first evaluation description and 60 examples of each, by the tokenizer of SmolLM2. What the
     * paper's comparison supposed is not known to us.
     */
    static final QueryLengths SUITE = new QueryLengths(20, 80, 330, 260, 10);

    QueryLengths {
        if (description < 1 || prompt < 1 || answer < 1 || shared < 0 || shared >= shots) {
            throw new IllegalArgumentException("wanted a description, a prompt and an answer of a token at least, and a part of the prompt with examples that is the same, found "
                    + description + ", " + prompt + ", " + answer + ", " + shared + " of " + shots);
        }
    }

    /**
     * Counts them.
     *
     * @param tasks    with examples
     * @param shots    the column that has three examples in its prompts
     * @param examples the first so many test examples of each task
     */
    static QueryLengths of(LanguageModel base, List<EvalTask> tasks, Column.Asked shots, int examples) {
        var prompts = new ChatPrompts(base.tokenizer(), base.chatTemplate());
        return new QueryLengths(mean(tasks, task -> prompts.encodeAnswer(task.evalDescriptions().getFirst()).length),
                mean(tasks, task -> mean(tests(task, examples), example -> prompts.encode(example.input()).length)),
                mean(tasks, task -> mean(tests(task, examples), example -> prompts.encode(shots(shots, task).prompt().apply(example)).length)),
                mean(tasks, task -> shared(tests(task, examples).stream().map(example -> prompts.encode(shots(shots, task).prompt().apply(example))).toList())),
                mean(tasks, task -> mean(tests(task, examples), example -> prompts.encodeAnswer(example.output()).length + prompts.end().length)));
    }

    /** How a task's first description and its examples are put. */
    static Asking shots(Column.Asked shots, EvalTask task) {
        return shots.askings().apply(task).getFirst();
    }

    static List<EvalExample> tests(EvalTask task, int examples) {
        return task.tests().stream().limit(examples).toList();
    }

    private static <T> int mean(List<T> of, ToIntFunction<T> tokens) {
        return (int) Math.round(of.stream().mapToInt(tokens).average().orElse(0));
    }

    /** How many ids all begin with. */
    private static int shared(List<int[]> all) {
        int[] first = all.getFirst();
        return IntStream.range(0, first.length).filter(i -> i == first.length - 1 || all.stream().anyMatch(ids -> i >= ids.length - 1 || ids[i] != first[i])).findFirst().orElse(0);
    }
}
