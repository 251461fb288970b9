package dev.t2l.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.t2l.LanguageModel;
import dev.t2l.backend.Backend;
import dev.t2l.eval.Benchmark;
import dev.t2l.eval.Column;
import dev.t2l.eval.EvalData;
import dev.t2l.eval.EvalSettings;
import dev.t2l.eval.EvalTable;
import dev.t2l.eval.EvalTask;
import dev.t2l.eval.Evaluation;
import dev.t2l.eval.Fingerprint;
import dev.t2l.eval.Metric;
import dev.t2l.eval.ProgramRunner;
import dev.t2l.eval.TableText;
import dev.t2l.io.AtomicFile;
import dev.t2l.text.ChatTemplate;
import dev.t2l.train.Recipes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code t2l eval}: how well tasks are done, with which help. */
@Command(name = "eval", description = {"Scores a language model on tasks: alone, with adapters, and with adapters from descriptions, beside the controls.", "",
    "Columns: constant (the most frequent test answer, over all test examples, whatever --examples says: majority_test), "
        + "constant-train (the most frequent training answer), base (the input alone), description (before the input), "
        + "examples (description and three examples; of benchmarks the published examples alone, three, of HumanEval none; if every task has some); "
        + "with --oracles: average (of the adapters of tasks of other suites), arrow (each token chooses among them); "
        + "for each --lora NAME=DIR: NAME, NAME+description; with --oracles: nearest (the adapter of the task of another suite whose training description is closest); "
        + "for each --t2l NAME=DIR: NAME-random (\"dogs;cats;bananas;\"), "
        + "NAME-other (another task's description), NAME-vague (\"Answer the question.\"), NAME (the task's own), "
        + "NAME+description (which stands in the prompt, too), or, if it was trained on inputs, NAME alone; with --oracles: oracle (the adapter of the task itself).", "",
    "Every answer is kept in --out at once: stopped and begun again, or with more columns, tasks or examples, it asks only what is new."})
final class Eval implements Callable<Integer> {
    /** Recipes, for the help. */
    static final class RecipeNames extends ArrayList<String> {
        private static final long serialVersionUID = 1;

        RecipeNames() {
            super(Recipes.evaluations());
        }
    }

    @Option(names = "--config", paramLabel = "FILE|RECIPE", completionCandidates = RecipeNames.class, description = "Options from a YAML file, or one of the recipes "
            + "${COMPLETION-CANDIDATES}; options of the command line go before.")
    private String config;

    @Option(names = "--base", paramLabel = "MODEL", description = "The language model: a folder, a GGUF file, or a hub id.")
    private String base;

    @Option(names = "--data", paramLabel = "DIR", description = "Folder with tasks.json and tasks/NAME.jsonl[.gz].")
    private Path data;

    @Option(names = "--suite", paramLabel = "NAME", description = "Only tasks of this suite, such as test_unseen.")
    private String suite;

    @Option(names = "--tasks", split = ",", paramLabel = "NAME", description = "Only these tasks, with commas between.")
    private List<String> tasks = List.of();

    @Option(names = "--benchmarks", paramLabel = "DIR", description = "Folder of benchmarks' files, called by their names: arc_easy.jsonl, gsm8k.jsonl.gz ...")
    private Path benchmarkFolder;

    @Option(names = "--benchmark", split = ",", paramLabel = "NAME[=FILE]",
            description = "Judge by a benchmark of the paper, in its original fields (.jsonl, .json, .gz), with the descriptions of "
            + "descriptions_t2l.jsonl.gz in --data, else those that the --t2l was published with; without FILE it is looked for in --benchmarks; may be repeated: "
            + "arc_challenge, arc_easy, boolq, gsm8k, hellaswag, humaneval, mbpp, openbookqa, piqa, winogrande, mmlu, truthfulqa.")
    private List<String> benchmarks = List.of();

    @Option(names = "--examples", defaultValue = "60", paramLabel = "N",
            description = "The first N test examples of each task; 0 for all. The column constant is over all of them anyway. Default: ${DEFAULT-VALUE}.")
    private int examples;

    @Option(names = "--max-new", paramLabel = "N",
            description = "New tokens of an answer at most. Default: 16 more than the task's longest answer; 256 where the last number counts, 128 for ROUGE-L, 512 for programs.")
    private Integer maxNew;

    @Option(names = "--max-prompt", defaultValue = "0", paramLabel = "N", description = "Prompts are cut on the left to N tokens. Default: only to the model's context.")
    private int maxPrompt;

    @Option(names = "--system", paramLabel = "TEXT", description = "A system message before each question, perhaps an empty one. Default: none.")
    private String system;

    @Option(names = "--chat-template", paramLabel = "FILE", description = "Write prompts by this Jinja template. Default: the model's own.")
    private Path chatTemplate;

    @Option(names = "--batch", defaultValue = "0", paramLabel = "N",
            description = "Questions at once at most; changes no answer. Default: 128 on a GPU, else 8, as far as memory goes.")
    private int batch;

    @Option(names = "--seed", defaultValue = "0", paramLabel = "N", description = "Of drawn examples, drawn other tasks, and bootstrap. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(names = "--compare", paramLabel = "COLUMN", description = "The column that all others are held against. Default: the last that adapts by the task's description.")
    private String compare;

    @Option(names = "--out", defaultValue = "runs/eval", paramLabel = "DIR", description = "Folder of answers.jsonl and results.jsonl. Default: ${DEFAULT-VALUE}.")
    private Path out;

    @Option(names = "--table", paramLabel = "FILE", description = "Write the table there, too, as Markdown.")
    private Path table;

    @Option(names = "--allow-code-execution", description = "Run programs that the model writes, for tasks judged by that, without network and with little "
        + "time and memory; but they can read and delete what you can. Without it such tasks are left out.")
    private boolean execution;

    @Mixin
    private EvalColumns columns;

    @Mixin
    private BackendOption backend;

    @Mixin
    private SourceOption source;

    @Mixin
    private Result result;

    @Spec
    private CommandSpec spec;

    /**
     * As {@code --json} prints it; scores from 0 to 1.
     *
     * @param byLikelihood the same, the likeliest option taken; null if no task has options
     */
    record Found(List<EvalTable.Summary> columns, Map<String, Map<String, List<Double>>> scores,
            List<EvalTable.Comparison> comparisons, @JsonInclude(JsonInclude.Include.NON_NULL) Found byLikelihood) {
    }

    @Override
    public Integer call() {
        if (config != null) {
            EvalConfig.apply(EvalConfig.read(config), spec);
        }
        if (base == null || data == null && benchmarks.isEmpty()) {
            throw new ParameterException(spec.commandLine(), "wanted --base, and --data or --benchmark, or a --config that has them");
        }
        List<String> missing = missing();
        if (!missing.isEmpty()) {
            spec.commandLine().getErr().println(spec.qualifiedName() + ": cannot begin, for something is missing:");
            missing.forEach(one -> spec.commandLine().getErr().println("- " + one));
            return CommandLine.ExitCode.SOFTWARE;
        }
        try (var progress = new EvalProgress(spec.commandLine().getErr()); Backend open = backend.open()) {
            EvalData folder = (data == null ? EvalData.none() : new EvalData(data)).orDescribing(() -> columns.evalDescriptions(source));
            List<EvalTask> judged = judged(tasks(folder), progress);
            Optional<ProgramRunner> runner = judged.stream().anyMatch(task -> task.metric() == Metric.PASS_AT_1) ? Optional.of(ProgramRunner.open()) : Optional.empty();
            Path model = source.resolve(base);
            var settings = new EvalSettings(examples, maxNew == null ? OptionalInt.empty() : OptionalInt.of(maxNew), maxPrompt, batch, seed);
            try (LanguageModel lm = LanguageModel.load(model, open); EvalSources sources = columns.open(lm, source)) {
                List<Column> asked = columns.of(sources, folder, judged, seed);
                EvalTable found = new Evaluation(lm, Fingerprint.of(model), judged, asked, settings, runner)
                        .asking(template(), Optional.ofNullable(system)).run(out, progress);
                progress.close();
                print(found, new TableText.Style(compared(asked), columns.marks(asked), seed));
            }
        }
        return 0;
    }

    /** Those of the folder, unless only benchmarks are asked for; then these. */
    private List<EvalTask> tasks(EvalData folder) {
        List<EvalTask> all = new ArrayList<>();
        if (benchmarks.isEmpty() || suite != null || !tasks.isEmpty()) {
            all.addAll(folder.tasks(Optional.ofNullable(suite), tasks));
        }
        benchmarkFiles(new EvalInputs(false)).forEach((benchmark, file) -> all.add(benchmark.read(file, folder.benchmarkDescriptions().getOrDefault(benchmark.key(), List.of()))));
        return all;
    }

    private Map<Benchmark, Path> benchmarkFiles(EvalInputs inputs) {
        Map<Benchmark, Path> files = new LinkedHashMap<>();
        for (String option : benchmarks) {
            int at = option.indexOf('=');
            Benchmark benchmark = Benchmark.of(at < 0 ? option : option.substring(0, at));
            if (at < 0 && benchmarkFolder == null) {
                throw new ParameterException(spec.commandLine(), "--benchmark " + option + " wants a file, or a folder --benchmarks that has it");
            }
            Optional<Path> file = at < 0 ? inputs.benchmark(benchmark, benchmarkFolder) : Optional.of(Path.of(option.substring(at + 1)));
            file.ifPresent(found -> {
                if (files.put(benchmark, found) != null) {
                    throw new ParameterException(spec.commandLine(), "the benchmark " + benchmark.key() + " is asked for twice");
                }
            });
        }
        return files;
    }

    private Optional<ChatTemplate> template() {
        try {
            return chatTemplate == null ? Optional.empty() : Optional.of(ChatTemplate.parse(Files.readString(chatTemplate)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What it will want and not find. */
    private List<String> missing() {
        var inputs = new EvalInputs(source.download());
        inputs.model("--base", base);
        columns.look(inputs);
        if (data != null && (benchmarks.isEmpty() || suite != null || !tasks.isEmpty())) {
            inputs.file("--data", data.resolve(EvalData.TASKS), "it lists tasks");
        }
        Optional.ofNullable(chatTemplate).ifPresent(file -> inputs.file("--chat-template", file, "without it prompts are written by the model's own"));
        benchmarkFiles(inputs).forEach((benchmark, file) -> inputs.file("--benchmark", file, "it is the dataset " + benchmark.source()));
        return inputs.missing();
    }

    private List<EvalTask> judged(List<EvalTask> all, EvalProgress progress) {
        List<EvalTask> judged = new ArrayList<>();
        for (EvalTask task : all) {
            if (task.metric() == Metric.PASS_AT_1 && !execution) {
                progress.note(task.name() + " is left out: its answers are programs; --allow-code-execution runs them");
            } else {
                judged.add(task);
            }
        }
        if (judged.isEmpty()) {
            throw new IllegalArgumentException("no task is left");
        }
        return judged;
    }

    private Optional<String> compared(List<Column> asked) {
        List<String> names = asked.stream().map(Column::name).toList();
        if (compare != null && !names.contains(compare)) {
            throw new ParameterException(spec.commandLine(), "--compare wants one of the columns " + String.join(", ", names) + ", found '" + compare + "'");
        }
        return Optional.ofNullable(compare).or(() -> columns.matching(asked));
    }

    private void print(EvalTable found, TableText.Style style) {
        String text = TableText.markdown(found, style);
        if (table != null) {
            AtomicFile.write(table, text.getBytes(StandardCharsets.UTF_8));
        }
        result.print(found(found, style.compared()), _ -> text);
    }

    private Found found(EvalTable found, Optional<String> compared) {
        Map<String, Map<String, List<Double>>> scores = new LinkedHashMap<>();
        for (String column : found.columns()) {
            Map<String, List<Double>> ofTasks = new LinkedHashMap<>();
            found.tasks().forEach(task -> ofTasks.put(task, found.cells(column, task).stream().map(cell -> cell.score()).toList()));
            scores.put(column, ofTasks);
        }
        return new Found(found.summaries(seed), scores, compared.map(column -> found.comparisons(column, seed)).orElse(List.of()),
                found.byLikelihood().map(choices -> found(choices, compared)).orElse(null));
    }
}
