package dev.t2l.experiment;

import dev.t2l.eval.EvalData;
import dev.t2l.eval.Fingerprint;
import dev.t2l.io.ModelSource;
import dev.t2l.train.Training;
import dev.t2l.train.TrainingConfig;
import dev.t2l.train.TrainingConfig.Kind;
import dev.t2l.train.TrainingConfig.Share;
import dev.t2l.train.TrainingListener;
import dev.t2l.train.TrainingModels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Trainings, each in a folder named by a digest of its configuration and of the contents of models and data: what has ended is found, what was stopped goes
 * on, and experiments that want the same share it.
 */
final class Runs {
    private final LabSettings settings;
    private final TrainingModels models;
    private final LabListener listener;
    private final Map<Kind, Recipe> recipes = new EnumMap<>(Kind.class);
    private final Map<Path, String> contents = new HashMap<>();

    Runs(LabSettings settings, TrainingModels models, LabListener listener) {
        this.settings = settings;
        this.models = models;
        this.listener = listener;
    }

    Recipe recipe(Kind kind) {
        return recipes.computeIfAbsent(kind, one -> new Recipe(one, settings));
    }

    /** @param what it is called to who watches */
    Trained train(String what, Kind kind, List<String> tasks, Map<String, ?> overrides) {
        String name = Recipe.word(kind) + "-" + digest(recipe(kind).config(tasks, overrides));
        Map<String, Object> placed = new LinkedHashMap<>(overrides);
        placed.put("out", settings.folder().resolve("trained").resolve(name).toString());
        TrainingConfig config = recipe(kind).config(tasks, placed);
        return ended(what, config.run().out(), config, listener.training());
    }

    private Trained ended(String what, Path run, TrainingConfig config, TrainingListener follower) {
        if (!Files.isDirectory(run.resolve("final"))) {
            listener.note("trains " + what + " in " + run);
            Training.run(config, models, true, follower);
        }
        Training.discardCheckpoints(run);
        return Trained.of(run, config);
    }

    /** One adapter for each of these tasks, by their names in one folder; that of a task is the same whatever the others are. */
    OracleFolder oracles(List<String> tasks) {
        Recipe recipe = recipe(Kind.LORA);
        if (recipe.whole().adapter().of() != Share.TASK) {
            throw new IllegalArgumentException("oracles need a recipe with adapter.of: task, " + settings.trainings().recipes().getOrDefault(Kind.LORA, "the one") + " has none");
        }
        Path parent = settings.folder().resolve("oracles").resolve(digest(recipe.config(recipe.tasks(), Map.of())));
        Map<String, Trained> trained = new LinkedHashMap<>();
        long missing = tasks.stream().filter(task -> !Files.isDirectory(parent.resolve(task).resolve("final"))).count();
        for (String task : tasks) {
            TrainingConfig config = recipe.config(List.of(task), Map.of("out", parent.toString(), "tasks", List.of(task)));
            String what = "the oracle of " + task + (missing > 1 ? " (" + missing + " to go)" : "");
            missing -= Files.isDirectory(parent.resolve(task).resolve("final")) ? 0 : 1;
            trained.put(task, ended(what, parent.resolve(task), config, TrainingListener.NONE));
        }
        return new OracleFolder(parent, trained);
    }

    /** Of all that what is learned depends on: models and data by their names and contents. Where a run lies, and how often it is saved, does not count. */
    private String digest(TrainingConfig config) {
        Map<String, Object> counting = new TreeMap<>(config.resolved());
        List.of("out", "checkpoint").forEach(counting::remove);
        if (counting.get("reconstruction") instanceof Map<?, ?> reconstruction && config.reconstruction().oracles().isPresent()) {
            Map<String, Object> renamed = new TreeMap<>();
            reconstruction.forEach((key, value) -> renamed.put(String.valueOf(key), value));
            renamed.put("oracles", Path.of(config.reconstruction().oracles().get()).getFileName().toString()); // a digest, too
            counting.put("reconstruction", renamed);
        }
        if (config.kind() == Kind.LORA && config.adapter().of() == Share.TASK) {
            counting.remove("tasks"); // each task has a run of its own
        }
        return Fingerprint.of(Stream.concat(Stream.of(counting.toString()), files(config).map(file -> contents.computeIfAbsent(file, Fingerprint::of))).toList());
    }

    /** What is read for a training, but for oracles, whose folder's name is a digest. */
    private static Stream<Path> files(TrainingConfig config) {
        Stream<Path> models = Stream.concat(Stream.of(config.models().base()), config.models().encoder().stream()).map(ModelSource::resolve);
        Stream<Path> data = config.resolved().get("data") instanceof String path && Files.isDirectory(Path.of(path))
                ? Stream.of(EvalData.TASKS, "tasks").map(Path.of(path)::resolve) : Stream.empty();
        Stream<Path> more = Stream.concat(config.data().described().stream(), config.data().variants().stream());
        return Stream.of(models, data, more).flatMap(files -> files);
    }
}
