package dev.t2l.experiment;

import dev.t2l.Adaptation;
import dev.t2l.Adapter;
import dev.t2l.Chat;
import dev.t2l.Completion;
import dev.t2l.LanguageModel;
import dev.t2l.Request;
import dev.t2l.Sampling;
import dev.t2l.TextToLora;
import dev.t2l.eval.Column;
import dev.t2l.eval.EvalExample;
import dev.t2l.eval.EvalTask;
import java.util.ArrayList;
import java.util.List;

/**
 * Milliseconds of queries, one at a time.
 *
 * @param shots   the column that has three examples in its prompts
 * @param lengths of queries: answers are generated to so many tokens at most
 */
record QueryTimes(LanguageModel base, TextToLora network, Column.Asked shots, QueryLengths lengths) {
    private static final int QUERIES = 3; // of a task

    /**
     * Medians.
     *
     * @param generate     from a description to its adapter
     * @param prompt       to the first token, by an adapter
     * @param adaptedToken each further one, by an adapter
     * @param shots        to the first token, with examples
     * @param token        each further one, without adapter
     */
    record Medians(double generate, double prompt, double adaptedToken, double shots, double token) {
        /** Of answers of so many tokens. */
        List<QueryFlops.Way> ways(int answer) {
            double adapted = prompt + (answer - 1) * adaptedToken;
            double examples = shots + (answer - 1) * token;
            return List.of(new QueryFlops.Way("T2L", generate + adapted, adapted), new QueryFlops.Way("3-shot", examples, examples));
        }
    }

    private record Samples(List<Double> generate, List<Double> prompt, List<Double> adaptedToken, List<Double> shots, List<Double> token) {
        Samples() {
            this(new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        }

        Medians medians() {
            return new Medians(median(generate), median(prompt), median(adaptedToken), median(shots), median(token));
        }

        private static double median(List<Double> values) {
            return values.isEmpty() ? 0 : values.stream().sorted().skip(values.size() / 2).findFirst().orElseThrow();
        }
    }

    /** Of the first examples of each task; the first task goes through once unmeasured. */
    Medians measure(List<EvalTask> tasks) {
        measure(tasks.getFirst(), new Samples());
        var samples = new Samples();
        tasks.forEach(task -> measure(task, samples));
        return samples.medians();
    }

    private void measure(EvalTask task, Samples samples) {
        long start = System.nanoTime();
        try (Adapter adapter = network.generate(task.evalDescriptions().getFirst())) {
            samples.generate().add((System.nanoTime() - start) * 1e-6);
            for (EvalExample example : QueryLengths.tests(task, QUERIES)) {
                add(answer(example.input(), adapter), samples.prompt(), samples.adaptedToken());
                add(answer(QueryLengths.shots(shots, task).prompt().apply(example), Adaptation.none()), samples.shots(), samples.token());
            }
        }
    }

    private Completion answer(String prompt, Adaptation adaptation) {
        Sampling sampling = Sampling.greedy().withMaxTokens(Math.max(2, lengths.answer()));
        return base.generate(base.chatTemplate().isPresent() ? Request.of(Chat.user(prompt), adaptation, sampling) : Request.raw(prompt, adaptation, sampling));
    }

    private static void add(Completion given, List<Double> first, List<Double> further) {
        first.add(given.prefillNanos() * 1e-6);
        if (given.tokens().length > 1) {
            further.add(given.decodeNanos() * 1e-6 / (given.tokens().length - 1));
        }
    }
}
