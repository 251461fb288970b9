package dev.t2l.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/** The columns that there are. */
public final class Columns {
    /** A description that says nothing of any task, as in the paper's controls. */
    static final String RANDOM = "dogs;cats;bananas;";
    /** A description that fits all tasks. */
    static final String VAGUE = "Answer the question.";
    static final int SHOTS = 3;
    /** Name of {@link #constant}. */
    static final String CONSTANT = "constant";
    /** Name of {@link #oracle}. */
    public static final String ORACLE = "oracle";

    private final long seed;
    private final int descriptions;

    /**
     * @param seed         of what is drawn: few-shot examples, and tasks whose descriptions are taken for others'
     * @param descriptions the first so many of a task's evaluation descriptions are used, at least 1
     */
    public Columns(long seed, int descriptions) {
        if (descriptions < 1) {
            throw new IllegalArgumentException("wanted one description of each task at least, found " + descriptions);
        }
        this.seed = seed;
        this.descriptions = descriptions;
    }

    /** Always the most frequent answer of the whole test part, which nobody can know before: {@link EvalTask#constantScore}. */
    public Column constant() {
        return new Column.Computed(CONSTANT, "constant answer", EvalTask::constantScore, true);
    }

    /** Always the train part's most frequent answer, on the examples that models are asked. */
    public Column trainConstant() {
        return new Column.Computed("constant-train", "most frequent training answer", EvalTask::trainConstantScore, false);
    }

    /** The base model, given the input alone. */
    public Column base() {
        return new Column.Asked("base", "base", _ -> List.of(Asking.base("", EvalExample::input)));
    }

    /** The base model, given description and input. */
    public Column described() {
        return new Column.Asked("description", "+ description", each(description -> Asking.base(description, Prompts.described(description))));
    }

    /**
     * The base model, given description, three examples, and input; of tasks that have examples in words of their own ({@link EvalTask#shots}), as benchmarks
     * have, given these and the input, without description.
     *
     * @param judged the tasks, by which the column's title says what is asked
     */
    public Column withExamples(List<EvalTask> judged) {
        return new Column.Asked("examples", titleWithExamples(judged), task -> task.shots().isPresent()
                ? List.of(Asking.base("", EvalExample::input).with(task.shots().get()))
                : each(description -> Asking.base(description, shown(task, description))).apply(task));
    }

    private static String titleWithExamples(List<EvalTask> judged) {
        boolean own = judged.stream().anyMatch(task -> task.shots().isPresent());
        boolean drawn = judged.stream().anyMatch(task -> task.shots().isEmpty());
        String title = "+ description, " + SHOTS + " examples";
        return !own ? title : drawn ? title + " (benchmarks: published examples alone)" : "+ published examples";
    }

    private Function<EvalExample, String> shown(EvalTask task, String description) {
        return Prompts.withExamples(description, Prompts.draw(task, SHOTS, seed));
    }

    /** One adapter for all tasks, and examples in the prompt as {@link #withExamples} has them. */
    public Column adapterWithExamples(String name, AdapterSource source) {
        return new Column.Asked(name + "+examples", name + " + examples", task -> task.shots()
                .map(shots -> List.of(Asking.adapted("", source, "", EvalExample::input).with(shots)))
                .orElseGet(() -> each(description -> Asking.adapted(description, source, "", shown(task, description))).apply(task)));
    }

    /** The adapter of the task's own description, and examples in the prompt as {@link #withExamples} has them. */
    public Column matchingWithExamples(String name, AdapterSource source) {
        return new Column.Asked(name + "+examples", name + " + examples", task -> each(description -> task.shots()
                .map(shots -> Asking.adapted(description, source, description, EvalExample::input).with(shots))
                .orElseGet(() -> Asking.adapted(description, source, description, shown(task, description)))).apply(task));
    }

    /** One adapter for all tasks. */
    public Column adapter(String name, AdapterSource source) {
        return adapter(name, name, source);
    }

    /** @param title of the column */
    public Column adapter(String name, String title, AdapterSource source) {
        return new Column.Asked(name, title, _ -> List.of(Asking.adapted("", source, "", EvalExample::input)));
    }

    /** One adapter for all tasks, and the description in the prompt. */
    public Column describedAdapter(String name, AdapterSource source) {
        return new Column.Asked(name + "+description", name + " + description",
                each(description -> Asking.adapted(description, source, "", Prompts.described(description))));
    }

    /** An adapter of each input, of a hypernetwork that was trained so. */
    public Column perInput(String name, AdapterSource source) {
        return new Column.Asked(name, name + ", an adapter of each input", _ -> List.of(new Asking("", source, EvalExample::input, EvalExample::input)));
    }

    /** The adapter that was trained on the task itself. */
    public Column oracle(AdapterSource byTask) {
        return new Column.Asked(ORACLE, "oracle", task -> List.of(Asking.adapted("", byTask, task.name(), EvalExample::input)));
    }

    /**
     * The adapter of the training task whose description is closest.
     *
     * @param task of a description
     */
    public Column nearest(AdapterSource byTask, UnaryOperator<String> task) {
        return new Column.Asked("nearest", "nearest training adapter", each(description -> Asking.adapted(description, byTask, task.apply(description), EvalExample::input)));
    }

    /** The adapter of the task's own description. */
    public Column matching(String name, AdapterSource source) {
        return new Column.Asked(name, name, each(description -> Asking.adapted(description, source, description, EvalExample::input)));
    }

    /** The adapter of the task's own description, which stands in the prompt, too. */
    public Column matchingDescribed(String name, AdapterSource source) {
        return new Column.Asked(name + "+description", name + " + description",
                each(description -> Asking.adapted(description, source, description, Prompts.described(description))));
    }

    /** The adapter of {@value #RANDOM}. */
    public Column random(String name, AdapterSource source) {
        return fixed(name + "-random", name + ", random description", source, RANDOM);
    }

    /** The adapter of {@value #VAGUE}. */
    public Column vague(String name, AdapterSource source) {
        return fixed(name + "-vague", name + ", vague description", source, VAGUE);
    }

    private static Column fixed(String name, String title, AdapterSource source, String description) {
        return new Column.Asked(name, title, _ -> List.of(Asking.adapted(description, source, description, EvalExample::input)));
    }

    /**
     * The adapter of another task's description, which is drawn by seed and name of the task.
     *
     * @param all the descriptions of the tasks of a suite, by name
     */
    public Column other(String name, AdapterSource source, Function<String, Map<String, List<String>>> all) {
        return new Column.Asked(name + "-other", name + ", another task's description", task -> {
            List<List<String>> others = new ArrayList<>();
            all.apply(task.suite()).forEach((other, texts) -> {
                if (!other.equals(task.name())) {
                    others.add(texts);
                }
            });
            if (others.isEmpty()) {
                throw new IllegalArgumentException("there is no other task of the suite '" + task.suite() + "' with evaluation descriptions");
            }
            List<String> drawn = others.get(new SplittableRandom(seed * 31 + task.name().hashCode()).nextInt(others.size()));
            return drawn.stream().limit(descriptions).map(description -> Asking.adapted(description, source, description, EvalExample::input)).toList();
        });
    }

    private Function<EvalTask, List<Asking>> each(Function<String, Asking> asking) {
        return task -> texts(task).stream().map(asking).toList();
    }

    private List<String> texts(EvalTask task) {
        if (task.evalDescriptions().isEmpty()) {
            throw new IllegalArgumentException("the task '" + task.name() + "' has no evaluation descriptions");
        }
        return task.evalDescriptions().stream().limit(descriptions).toList();
    }
}
