package dev.t2l.demo;

import dev.t2l.Adaptation;
import dev.t2l.Adapter;
import dev.t2l.Chat;
import dev.t2l.Completion;
import dev.t2l.Request;
import dev.t2l.Sampling;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/** What a demo computes on this machine, as plain results. All answers are greedy: the same on every run. */
public final class LiveTier {
    private final DemoModels models;
    private final Effort effort;

    /**
     * How much is asked.
     *
     * @param prompts   of each task
     * @param shown     of them, one by one
     * @param tokens    of an answer, at most
     * @param ownTokens of an answer to the user's own prompt, at most
     * @param timed     how often the way from a sentence to a first token is timed
     */
    public record Effort(int prompts, int shown, int tokens, int ownTokens, int timed) {
        /** Enough for a minute on two cores; plain Java, without the native kernels, is asked less. */
        public static Effort on(String backend) {
            return backend.equals("java") ? new Effort(2, 2, 8, 24, 3) : new Effort(12, 5, 20, 96, 7);
        }
    }

    /**
     * Milliseconds from a sentence to the first token that its adapter had a part in.
     *
     * @param encode     the sentence to its embedding
     * @param generate   the embedding to the matrices
     * @param firstToken the prompt read, with the adapter
     */
    public record Latency(double encode, double generate, double firstToken) {
        public double total() {
            return encode + generate + firstToken;
        }
    }

    /**
     * Of one sentence and prompt.
     *
     * @param firstAdapter milliseconds from the sentence to the first adapter of this process
     * @param median       of each part, over {@link Effort#timed} further times
     * @param pairs        of matrices that the sentence became
     */
    public record Latencies(String description, double firstAdapter, Latency median, int promptTokens, int pairs, long parameters) {
    }

    /** The same prompt, answered three ways. */
    public record Row(DemoTasks.Example example, String base, String own, String other) {
    }

    /** How many of a task's prompts were answered right. */
    public record Score(int prompts, int base, int own, int other) {
    }

    /** @param other whose adapter is the third column */
    public record TaskResult(DemoTasks.Task task, DemoTasks.Task other, List<Row> rows) {
        public Score score() {
            return new Score(rows.size(), count(Row::base), count(Row::own), count(Row::other));
        }

        private int count(Function<Row, String> answer) {
            return (int) rows.stream().filter(row -> row.example().accepts(answer.apply(row))).count();
        }
    }

    /** One prompt under two descriptions. */
    public record TwoAnswers(DemoTasks.Example first, DemoTasks.Example second, String answerToFirst, String answerToSecond) {
    }

    /**
     * Where a description lies among the training tasks.
     *
     * @param far whether it is less like any of them than the loneliest of them is like the others
     */
    public record Position(TaskNeighbours.Neighbour nearest, double loneliest, boolean far) {
    }

    public LiveTier(DemoModels models, Effort effort) {
        this.models = models;
        this.effort = effort;
    }

    public Effort effort() {
        return effort;
    }

    /** How long a sentence takes to become an adapter and the first token. */
    public Latencies latencies(String description, String prompt) {
        long start = System.nanoTime();
        try (Adapter adapter = models.t2l().generate(description)) {
            double firstAdapter = millisSince(start);
            Completion one = models.base().generate(request(prompt, adapter, 1));
            float[][] embedding = models.encoder().embedTasks(List.of(description));
            List<Latency> times = new ArrayList<>();
            for (int i = 0; i < effort.timed(); i++) {
                times.add(latency(description, embedding, prompt));
            }
            var median = new Latency(median(times, Latency::encode), median(times, Latency::generate), median(times, Latency::firstToken));
            return new Latencies(description, firstAdapter, median, one.promptTokens(), adapter.weights().pairs().size(), adapter.weights().parameters());
        }
    }

    private static double median(List<Latency> times, ToDoubleFunction<Latency> part) {
        double[] sorted = times.stream().mapToDouble(part).sorted().toArray();
        return sorted[sorted.length / 2];
    }

    /** The encoder's part is what is left of the whole when the network's, timed alone, is taken off. */
    private Latency latency(String description, float[][] embedding, String prompt) {
        long start = System.nanoTime();
        List<Adapter> alone = models.t2l().generateFromEmbeddings(embedding);
        models.backend().await();
        double generate = millisSince(start);
        alone.forEach(Adapter::close);
        start = System.nanoTime();
        try (Adapter adapter = models.t2l().generate(description)) {
            models.backend().await();
            double whole = millisSince(start);
            start = System.nanoTime();
            models.base().generate(request(prompt, adapter, 1));
            return new Latency(Math.max(0, whole - generate), generate, millisSince(start));
        }
    }

    private static double millisSince(long start) {
        return (System.nanoTime() - start) * 1e-6;
    }

    /** A task's prompts, answered by the base, with its own adapter, and with that of another task. */
    public TaskResult task(DemoTasks.Task task, DemoTasks.Task other) {
        try (Adapter own = models.t2l().generate(task.description()); Adapter alien = models.t2l().generate(other.description())) {
            List<DemoTasks.Example> examples = task.examples().subList(0, Math.min(effort.prompts(), task.examples().size()));
            List<Adaptation> ways = List.of(Adaptation.none(), own, alien);
            List<String> answers = answers(examples.stream().flatMap(e -> ways.stream().map(way -> request(e.input(), way, effort.tokens()))).toList());
            List<Row> rows = new ArrayList<>();
            for (int i = 0; i < examples.size(); i++) {
                rows.add(new Row(examples.get(i), answers.get(3 * i), answers.get(3 * i + 1), answers.get(3 * i + 2)));
            }
            return new TaskResult(task, other, List.copyOf(rows));
        }
    }

    /** Each prompt under both descriptions. */
    public List<TwoAnswers> twoWays(DemoTasks.TwoWays twoWays) {
        DemoTasks.Way one = twoWays.ways().getFirst();
        DemoTasks.Way two = twoWays.ways().getLast();
        try (Adapter first = models.t2l().generate(one.description()); Adapter second = models.t2l().generate(two.description())) {
            int n = Math.min(effort.shown(), one.examples().size());
            List<String> answers = answers(Stream.concat(one.examples().stream().limit(n).map(e -> request(e.input(), first, effort.tokens())),
                    two.examples().stream().limit(n).map(e -> request(e.input(), second, effort.tokens()))).toList());
            List<TwoAnswers> result = new ArrayList<>();
            for (int i = 0; i < n; i++) {
                result.add(new TwoAnswers(one.examples().get(i), two.examples().get(i), answers.get(i), answers.get(n + i)));
            }
            return result;
        }
    }

    /** Where a description lies; empty if the checkpoint does not come with its training descriptions. */
    public Optional<Position> position(String description) {
        return models.neighbours().map(tasks -> {
            TaskNeighbours.Neighbour nearest = tasks.nearest(models.encoder().embedTasks(List.of(description))[0]);
            return new Position(nearest, tasks.loneliest(), nearest.cosine() < tasks.loneliest());
        });
    }

    /** The base model's answer to the user's prompt, piece by piece. */
    public void base(String prompt, Consumer<String> sink) {
        models.base().generate(request(prompt, Adaptation.none(), effort.ownTokens()).withSink(sink));
    }

    /** The answer with the adapter of the user's description. */
    public void adapted(String description, String prompt, Consumer<String> sink) {
        try (Adapter adapter = models.t2l().generate(description)) {
            models.base().generate(request(prompt, adapter, effort.ownTokens()).withSink(sink));
        }
    }

    private static Request request(String prompt, Adaptation adaptation, int tokens) {
        return Request.of(Chat.user(prompt), adaptation, Sampling.greedy().withMaxTokens(tokens));
    }

    private List<String> answers(List<Request> requests) {
        return models.base().generate(requests).stream().map(Completion::text).toList();
    }
}
