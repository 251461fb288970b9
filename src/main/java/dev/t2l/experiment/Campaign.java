package dev.t2l.experiment;

import dev.t2l.LanguageModel;
import dev.t2l.backend.Backend;
import dev.t2l.eval.EvalData;
import dev.t2l.eval.EvalTask;
import dev.t2l.eval.Fingerprint;
import dev.t2l.eval.Metric;
import dev.t2l.io.FolderLock;
import dev.t2l.io.ModelSource;
import dev.t2l.train.TrainingConfig;
import dev.t2l.train.TrainingConfig.Kind;
import dev.t2l.train.TrainingModels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Experiments, one after the other, over what they share: language models are opened once, and trained networks, oracles and answers lie in one folder, where
 * whatever was done is found. One campaign at a time works in a folder. Borrows the backend.
 */
public final class Campaign implements AutoCloseable {
    private final LabSettings settings;
    private final Backend backend;
    private final LabListener listener;
    private final TrainingModels models;
    private final Runs runs;
    private final FolderLock lock;
    private EvalData data;
    private List<EvalTask> unseen;
    private String fingerprint;

    /**
     * What an experiment found.
     *
     * @param folder of its files
     * @param rows   as in {@code results.jsonl}
     * @param text   as in {@code table.md}
     */
    public record Report(String experiment, Path folder, List<Map<String, Object>> rows, String text) {
    }

    /** @throws IllegalStateException if another campaign works in the folder */
    public Campaign(LabSettings settings, Backend backend, LabListener listener) {
        this.settings = settings;
        this.backend = backend;
        this.listener = listener;
        this.models = new TrainingModels(backend);
        this.runs = new Runs(settings, models, listener);
        try {
            Files.createDirectories(settings.folder());
            this.lock = FolderLock.of(settings.folder());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Runs an experiment, or as much of it as is missing. */
    public Report run(Experiment experiment) {
        listener.note(experiment.name() + ": " + experiment.title());
        experiment.trains().forEach(runs::recipe); // what is wrong with one is said before anything is trained in vain
        if (!settings.judging().tasks().isEmpty()) {
            unseen();
        }
        try (var lab = new Laboratory(this, experiment)) {
            experiment.run(lab);
            return new Report(experiment.name(), lab.out(), lab.findings().lines(), lab.findings().text());
        }
    }

    LabSettings settings() {
        return settings;
    }

    Backend backend() {
        return backend;
    }

    LabListener listener() {
        return listener;
    }

    Runs runs() {
        return runs;
    }

    private TrainingConfig recipe() {
        return runs.recipe(Kind.SFT).whole();
    }

    List<String> trainingTasks() {
        return runs.recipe(Kind.SFT).tasks();
    }

    LanguageModel base() {
        return models.base(recipe().models().base(), Optional.empty());
    }

    /** Of the evaluated model's files. */
    String fingerprint() {
        if (fingerprint == null) {
            fingerprint = Fingerprint.of(ModelSource.resolve(recipe().models().base()));
        }
        return fingerprint;
    }

    EvalData data() {
        if (data == null) {
            if (!(recipe().resolved().get("data") instanceof String folder)) {
                throw new IllegalArgumentException("experiments want a recipe whose data is a folder with tasks.json, not a list");
            }
            data = new EvalData(Path.of(folder));
        }
        return data;
    }

    List<EvalTask> unseen() {
        if (unseen == null) {
            Set<String> suites = data().tasks(Optional.empty(), trainingTasks()).stream().map(EvalTask::suite).collect(Collectors.toSet());
            List<String> others = data().outside(suites);
            List<String> wanted = settings.judging().tasks().isEmpty() ? others : settings.judging().tasks();
            var trained = new HashSet<>(trainingTasks());
            wanted.stream().filter(trained::contains).findFirst().ifPresent(task -> {
                throw new IllegalArgumentException("the task '" + task + "' is trained on; HINT: the others are " + String.join(", ", others));
            });
            List<EvalTask> judged = new ArrayList<>(data().tasks(Optional.empty(), wanted));
            List<EvalTask> programs = judged.stream().filter(task -> task.metric() == Metric.PASS_AT_1).toList();
            programs.forEach(task -> listener.note(task.name() + " is left out: its answers are programs"));
            judged.removeAll(programs);
            if (others.isEmpty() || judged.isEmpty()) {
                throw new IllegalArgumentException("there is no task to judge on beside those that are trained on");
            }
            unseen = List.copyOf(judged);
        }
        return unseen;
    }

    @Override
    public void close() {
        models.close();
        lock.close();
    }
}
