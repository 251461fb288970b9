package dev.t2l.experiment;

import dev.t2l.LanguageModel;
import dev.t2l.TextToLora;
import dev.t2l.backend.Backend;
import dev.t2l.eval.AdapterSource;
import dev.t2l.eval.Asking;
import dev.t2l.eval.Column;
import dev.t2l.eval.Columns;
import dev.t2l.eval.EvalData;
import dev.t2l.eval.EvalExample;
import dev.t2l.eval.EvalSettings;
import dev.t2l.eval.EvalTable;
import dev.t2l.eval.EvalTask;
import dev.t2l.eval.Evaluation;
import dev.t2l.eval.LoraScale;
import dev.t2l.eval.TaskAdapters;
import dev.t2l.train.TrainingConfig;
import dev.t2l.train.TrainingConfig.Kind;
import dev.t2l.train.TrainingData;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/** What one experiment works with: models, data, trainings, evaluation, and the folder of what it found. Scores and shares are from 0 to 1. */
public final class Laboratory implements AutoCloseable {
    private final Campaign campaign;
    private final Networks networks;
    private final Findings findings;
    private final About about;

    Laboratory(Campaign campaign, Experiment experiment) {
        this.campaign = campaign;
        Path out = campaign.settings().folder().resolve(experiment.name());
        this.about = new About(out, experiment, campaign.settings(), campaign.backend().description());
        this.findings = new Findings(out, experiment, campaign.settings(), campaign.listener());
        this.networks = new Networks(campaign.base());
    }

    public LabSettings settings() {
        return campaign.settings();
    }

    public Backend backend() {
        return campaign.backend();
    }

    /** Folder of what this experiment finds. */
    public Path out() {
        return findings.out();
    }

    /** The recipe of a kind of training as the command changed it, with all of its tasks and steps. */
    public TrainingConfig recipe(Kind kind) {
        return campaign.runs().recipe(kind).whole();
    }

    /** All tasks of the recipe for hypernetworks. */
    public List<String> trainingTasks() {
        return campaign.trainingTasks();
    }

    /**
     * So many of them, drawn by the command's seed; of one draw, smaller sets are part of larger ones.
     *
     * @param draw from 0
     * @throws IllegalArgumentException if there are not so many
     */
    public List<String> trainingTasks(int count, int draw) {
        return TaskSets.drawn(trainingTasks(), count, settings().seed() + draw);
    }

    /** What hypernetworks of all of them read in training, by task: those of {@code more_descriptions} and {@code variants}, too, as many as the recipe takes. */
    public Map<String, List<String>> trainingDescriptions() {
        Map<String, List<String>> all = new LinkedHashMap<>();
        TrainingData.load(recipe(Kind.SFT), false).forEach(task -> all.put(task.name(), task.descriptions()));
        return all;
    }

    /** Nine training tasks spread over their families: the same in all experiments. */
    public List<String> nineTasks() {
        return TaskSets.nine(trainingTasks(), settings().seed());
    }

    /**
     * Trains, or finds what was trained already.
     *
     * @param what      it is called to people
     * @param tasks     of training; steps are in proportion to their number
     * @param overrides keys of {@link TrainingConfig} with dots, and their values
     */
    public Trained train(String what, Kind kind, List<String> tasks, Map<String, ?> overrides) {
        Trained run = timed("train", () -> campaign.runs().train(what, kind, tasks, overrides));
        about.trained(what, run);
        return run;
    }

    /** One adapter for each of these training tasks, trained on it alone, or found. */
    public OracleFolder oracles(List<String> tasks) {
        return timed("oracles", () -> campaign.runs().oracles(tasks));
    }

    public EvalData data() {
        return campaign.data();
    }

    /** The tasks that are judged on: those of other suites than the training tasks', or of them those that the command names. */
    public List<EvalTask> unseen() {
        return campaign.unseen();
    }

    /** Tasks by their names, such as training tasks, to be judged by their test lines. */
    public List<EvalTask> tasks(List<String> names) {
        return data().tasks(Optional.empty(), names);
    }

    /** The language model that is evaluated, its weights as in its file. */
    public LanguageModel base() {
        return campaign.base();
    }

    /** The hypernetwork that experiments on one look into: the command's, else one that the recipe trains on all of its tasks, or has trained. */
    public Path subject() {
        return settings().network().orElseGet(() -> train("the hypernetwork of all training tasks", Kind.SFT, trainingTasks(), Map.of()).folder());
    }

    /** A trained hypernetwork that reads descriptions, opened with its encoder, closed with this. */
    public TextToLora network(Path folder) {
        return networks.network(folder, encoderOf(folder));
    }

    /** The one that it names; of the command's hypernetwork, which may name it as it is called elsewhere, the recipe's. */
    private Optional<String> encoderOf(Path folder) {
        Optional<String> named = TextToLora.encoderOf(folder);
        boolean given = settings().network().filter(folder::equals).isPresent();
        return given && named.isPresent() ? recipe(Kind.SFT).models().encoder().or(() -> named) : named;
    }

    /** The same as a source of adapters by description. */
    public AdapterSource source(Path folder) {
        return networks.source(folder, encoderOf(folder));
    }

    /** A hypernetwork that was trained on the numbers of tasks, as a source of adapters by the names of its training tasks. */
    public AdapterSource numbered(Path folder) {
        return numberedTasks(folder);
    }

    NumberedTasks numberedTasks(Path folder) {
        return networks.numbered(folder);
    }

    /** Oracles as a source of adapters by task. */
    public AdapterSource oracleSource(OracleFolder oracles) {
        return adapters(oracles).each();
    }

    private TaskAdapters adapters(OracleFolder oracles) {
        return networks.opened(new TaskAdapters(base(), List.of(oracles.path()), LoraScale.OWN));
    }

    /** Oracles as one adapter, their mean. */
    AverageOracle average(OracleFolder oracles) {
        return new AverageOracle(oracles, adapters(oracles).average(oracles.runs().keySet()));
    }

    /** To make columns with: by the command's seed and number of descriptions. */
    public Columns columns() {
        return new Columns(settings().seed(), settings().judging().descriptions());
    }

    /** A column of adapters that are asked for by the tasks' names. */
    public Column byTask(String name, AdapterSource source) {
        return byText(name, source, task -> task);
    }

    /** A column of one adapter for each task, by a text that the task's name leads to. */
    public Column byText(String name, AdapterSource source, UnaryOperator<String> text) {
        return new Column.Asked(name, name, task -> {
            String asked = text.apply(task.name());
            return List.of(Asking.adapted("", source, asked, EvalExample::input));
        });
    }

    /** Asks the base what was not asked before. Answers are shared by all experiments of a folder. */
    public EvalTable evaluate(List<EvalTask> tasks, List<Column> columns) {
        var asked = new EvalSettings(settings().judging().examples(), OptionalInt.empty(), 0, 0, settings().seed());
        return timed("evaluate", () -> new Evaluation(base(), campaign.fingerprint(), tasks, columns, asked, Optional.empty())
                .run(settings().folder().resolve("answers"), campaign.listener().evaluation()));
    }

    /** Adds the time that something takes to that of a stage, in {@code about.json}. */
    public <T> T timed(String stage, Supplier<T> work) {
        return about.timed(stage, work);
    }

    /**
     * Writes {@code table.md} and {@code results.jsonl}, in place of older ones.
     *
     * @param notes what a reader has to know of them, a paragraph each
     */
    public void table(List<Table> tables, String... notes) {
        findings.table(tables, List.of(notes));
    }

    /** Writes a table's rows for programs alone, into a file of their own. */
    public void rows(String file, Table table) {
        findings.rows(file, table);
    }

    /** Writes {@code plot.svg} and {@code plot.png}, two charts in a row; what cannot be drawn is a warning. */
    public void plot(List<Chart> charts) {
        findings.plot(charts);
    }

    Findings findings() {
        return findings;
    }

    @Override
    public void close() {
        networks.close();
        about.write();
    }
}
