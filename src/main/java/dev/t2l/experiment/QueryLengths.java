package dev.t2l.experiment;

import dev.t2l.LanguageModel;
import dev.t2l.data.ChatPrompts;
import dev.t2l.eval.Asking;
import dev.t2l.eval.Column;
import dev.t2l.eval.EvalExample;
import dev.t2l.eval.EvalTask;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.ToDoubleFunction;

/**
 * Tokens of a task's query, on average.
 *
 * @param description of the task, as the text encoder reads it
 * @param prompt      all that a model with an adapter reads: the input, in its chat template
 * @param shots       the same with description and three examples before the input
 * @param shared      of those, how many from the beginning are the same for all inputs of a task
 * @param answer      new ones
 */
record QueryLengths(int description, int prompt, int shots, int shared, int answer) {
    /** Draws of three examples that lengths are the means over. */
    static final int DRAWS = 8;

    QueryLengths {
        if (description < 1 || prompt < 1 || answer < 1 || shared < 0 || shared >= shots) {
            throw new IllegalArgumentException("wanted a description, a prompt and an answer of a token at least, and a part of the prompt with examples that is the same, found "
                    + description + ", " + prompt + ", " + answer + ", " + shared + " of " + shots);
        }
    }

    /**
     * Counts them, descriptions by the language model's tokenizer, too.
     *
     * @param shots    columns with three examples in their prompts, which are their draws
     * @param examples the first so many test examples of each task; 0 for all
     * @param template in the model's chat template, if it has one
     */
    static QueryLengths of(LanguageModel base, List<EvalTask> tasks, List<Column.Asked> shots, int examples, boolean template) {
        var prompts = new ChatPrompts(base.tokenizer(), template ? base.chatTemplate() : Optional.empty());
        double[] sums = new double[5];
        for (EvalTask task : tasks) {
            List<EvalExample> tests = tests(task, examples);
            sums[0] += prompts.encodeAnswer(task.evalDescriptions().getFirst()).length;
            sums[1] += mean(tests, example -> prompts.encode(example.input()).length);
            for (Column.Asked draw : shots) {
                List<int[]> asked = tests.stream().map(example -> prompts.encode(shots(draw, task).prompt().apply(example))).toList();
                sums[2] += mean(asked, ids -> ids.length) / shots.size();
                sums[3] += (double) shared(asked) / shots.size();
            }
            sums[4] += mean(tests, example -> prompts.encodeAnswer(example.output()).length + prompts.end().length);
        }
        int[] means = Arrays.stream(sums).mapToInt(sum -> (int) Math.round(sum / tasks.size())).toArray();
        return new QueryLengths(means[0], means[1], means[2], means[3], means[4]);
    }

    /** In a chat template of so many tokens. */
    QueryLengths within(int template) {
        return new QueryLengths(description, prompt + template, shots + template, shared + template, answer);
    }

    /** With an answer of another length. */
    QueryLengths answered(int tokens) {
        return new QueryLengths(description, prompt, shots, shared, tokens);
    }

    /** How a task's first description and its examples are put. */
    static Asking shots(Column.Asked shots, EvalTask task) {
        return shots.askings().apply(task).getFirst();
    }

    static List<EvalExample> tests(EvalTask task, int examples) {
        return examples == 0 ? task.tests() : task.tests().stream().limit(examples).toList();
    }

    private static <T> double mean(List<T> of, ToDoubleFunction<T> tokens) {
        return of.stream().mapToDouble(tokens).average().orElse(0);
    }

    /** How many ids all begin with, the last of each not counted. */
    private static int shared(List<int[]> all) {
        int[] first = all.getFirst();
        int same = first.length - 1;
        for (int[] ids : all) {
            int differs = Arrays.mismatch(first, ids);
            same = Math.min(same, Math.min(ids.length - 1, differs < 0 ? ids.length - 1 : differs));
        }
        return same;
    }
}
