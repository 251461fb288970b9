package dev.t2l.train;

import dev.t2l.data.JsonRecords;
import dev.t2l.data.Section;
import dev.t2l.data.YamlDocument;
import dev.t2l.io.FormatException;
import dev.t2l.train.TrainingTask.Example;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The tasks of a run. They come from
 * <ul>
 * <li>a folder with {@code tasks.json}, a list of objects with {@code name}, {@code descriptions} and perhaps {@code eval_descriptions} and
 *     {@code suite}, and {@code tasks/<name>.jsonl}, {@code .jsonl.gz} or {@code .json} with the examples,
 * <li>a list of maps with {@code name}, {@code descriptions} (a list, or a file: JSON, or one a line), {@code eval_descriptions} (the same),
 *     {@code examples} (a file; reconstruction needs none), {@code prompt} and {@code response} (templates over the fields of an example): in
 *     the configuration, in a YAML file, or in {@code tasks.yaml} of a folder. Paths in these two start at the file; in the configuration, as
 *     all of its paths, at the working directory.
 * </ul>
 * An example has the fields {@code input} and {@code output}, or {@code prompt} and {@code response}, unless a template says otherwise. Those
 * with {@code split} "test" or "validation" are held out of training.
 */
public final class TrainingData {
    private static final Set<String> HELD_OUT = Set.of("test", "validation");

    private final Optional<PromptTemplate> template;
    private final boolean examples;

    private TrainingData(Optional<PromptTemplate> template, boolean examples) {
        this.template = template;
        this.examples = examples;
    }

    /**
     * Reads the tasks that a configuration asks for.
     *
     * @param examples whether they are read, too; reconstruction needs none
     * @throws FormatException naming file and line
     * @throws IllegalArgumentException if no task is left, or a chosen one is not there
     */
    public static List<TrainingTask> load(TrainingConfig config, boolean examples) {
        TrainingConfig.Data data = config.data();
        var reader = new TrainingData(data.template().map(PromptTemplate::new), examples);
        List<Unread> own = switch (data.source()) {
            case TaskSource.Stored(Path path) -> stored(path, examples);
            case TaskSource.Inline(List<Section> tasks) -> inline(tasks, Path.of(""), examples);
        };
        List<Unread> all = data.described().map(file -> described(own, file)).orElse(own);
        List<Unread> ofSuite = all.stream().filter(task -> data.suite().isEmpty() || data.suite().equals(task.suite())).toList();
        if (ofSuite.isEmpty()) {
            throw new IllegalArgumentException("there is no task" + data.suite().map(s -> " of suite '" + s + "'").orElse("") + " among the " + all.size() + " of the data");
        }
        Map<String, Unread> byName = new HashMap<>();
        for (Unread task : ofSuite) {
            if (byName.put(task.task().name(), task) != null) {
                throw task.where().problem("the task '" + task.task().name() + "' is there twice");
            }
        }
        List<TrainingTask> chosen = data.tasks().of(ofSuite.stream().map(Unread::task).toList()).parallelStream().map(task -> reader.complete(byName.get(task.name()))
                .described(data.descriptions()).holding(config.run().validationEvery() == 0 ? 0 : config.run().validationSize())).toList();
        return data.variants().map(file -> withVariants(chosen, file)).orElse(chosen);
    }

    /** Where complaints about a task point to. */
    private interface Place {
        FormatException problem(String cause);
    }

    /**
     * A task whose examples were not read yet.
     *
     * @param task without them
     * @param file of them
     */
    private record Unread(TrainingTask task, Optional<String> suite, Path file, Optional<PromptTemplate> prompt, Optional<PromptTemplate> response, Place where) {
        Unread with(TrainingTask other) {
            return new Unread(other, suite, file, prompt, response, where);
        }
    }

    /** The chosen tasks, and behind them the variants of them. */
    private static List<TrainingTask> withVariants(List<TrainingTask> chosen, Path file) {
        Map<String, TrainingTask> byName = new LinkedHashMap<>();
        chosen.forEach(task -> byName.put(task.name(), task));
        for (TaskVariant variant : TaskVariant.read(file)) {
            TrainingTask task = byName.get(variant.of());
            if (task != null && byName.put(variant.name(), variant.of(task)) != null) {
                throw variant.record().problem("there is a task '" + variant.name() + "'");
            }
        }
        return List.copyOf(byName.values());
    }

    /** The tasks with the further descriptions of a file behind their own. */
    private static List<Unread> described(List<Unread> tasks, Path file) {
        Map<String, List<String>> more = new HashMap<>();
        for (JsonRecords record : JsonRecords.read(file)) {
            if (record.texts("descriptions").stream().anyMatch(String::isBlank)) {
                throw record.problem("a description is empty");
            }
            more.computeIfAbsent(record.text("task"), _ -> new ArrayList<>()).addAll(record.texts("descriptions"));
        }
        if (tasks.stream().noneMatch(task -> more.containsKey(task.task().name()))) {
            throw new FormatException(file, "tasks", "none of the " + more.size() + " that are described there is among the " + tasks.size() + " of the data");
        }
        return tasks.stream().map(task -> task.with(task.task().with(more.getOrDefault(task.task().name(), List.of())))).toList();
    }

    private static List<Unread> stored(Path path, boolean examples) {
        if (!Files.isDirectory(path)) {
            if (!Files.isRegularFile(path)) {
                throw new FormatException(path, "data", "is neither a folder nor a file");
            }
            return listFile(path, examples);
        }
        if (Files.isRegularFile(path.resolve("tasks.json"))) {
            return JsonRecords.read(path.resolve("tasks.json")).stream().map(record -> ofSuite(path, record)).toList();
        }
        if (Files.isRegularFile(path.resolve("tasks.yaml"))) {
            return listFile(path.resolve("tasks.yaml"), examples);
        }
        throw new FormatException(path, "folder", "wanted tasks.json or tasks.yaml, found neither");
    }

    private static Unread ofSuite(Path folder, JsonRecords record) {
        String name = record.text("name");
        if (!name.matches("[\\w.-]+") || name.startsWith(".")) {
            throw record.problem("a task's name is made of letters, digits and . _ -, found '" + name + "'");
        }
        Path file = List.of(".jsonl.gz", ".jsonl", ".json").stream().map(end -> folder.resolve("tasks").resolve(name + end)).filter(Files::isRegularFile).findFirst()
                .orElse(folder.resolve("tasks").resolve(name + ".jsonl"));
        return new Unread(task(name, record.texts("descriptions"), record.texts("eval_descriptions"), record::problem),
                record.has("suite") ? Optional.of(record.text("suite")) : Optional.empty(), file, Optional.empty(), Optional.empty(), record::problem);
    }

    private static List<Unread> listFile(Path file, boolean examples) {
        YamlDocument document = YamlDocument.read(file);
        if (!(document.root() instanceof List<?> list)) {
            throw new FormatException(file, "line 1", "wanted a list of tasks");
        }
        var section = new Section(file, "", Map.of("tasks", list), prefixed(document.lines()));
        return inline(section.sections("tasks"), file.toAbsolutePath().getParent(), examples);
    }

    private static Map<String, Integer> prefixed(Map<String, Integer> lines) {
        Map<String, Integer> prefixed = new HashMap<>();
        lines.forEach((path, line) -> prefixed.put("tasks" + path, line));
        return prefixed;
    }

    private static List<Unread> inline(List<Section> tasks, Path folder, boolean examples) {
        return tasks.stream().map(at -> {
            String name = at.text("name").orElseThrow(() -> at.problem("name", "is missing"));
            Place where = cause -> at.problem("name", cause);
            TrainingTask task = task(name, descriptions(at, "descriptions", folder), descriptions(at, "eval_descriptions", folder), where);
            Optional<String> file = at.text("examples");
            if (examples && file.isEmpty()) {
                throw at.problem("examples", "is missing; wanted a file of examples");
            }
            var unread = new Unread(task, at.text("suite"), folder.resolve(file.orElse("")), template(at, "prompt"), template(at, "response"), where);
            at.done();
            return unread;
        }).toList();
    }

    private static Optional<PromptTemplate> template(Section at, String key) {
        return at.text(key).map(source -> {
            try {
                return new PromptTemplate(source);
            } catch (IllegalArgumentException e) {
                throw at.problem(key, e.getMessage());
            }
        });
    }

    private static List<String> descriptions(Section at, String key, Path folder) {
        Object value = at.any(key);
        if (!(value instanceof String name)) {
            return at.texts(key, List.of());
        }
        Path file = folder.resolve(name);
        try {
            if (name.endsWith(".json")) {
                YamlDocument list = YamlDocument.read(file);
                return new Section(file, "", Map.of(key, list.root()), list.lines()).texts(key, List.of());
            }
            return Files.readAllLines(file).stream().map(String::strip).filter(line -> !line.isEmpty()).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static TrainingTask task(String name, List<String> descriptions, List<String> others, Place where) {
        if (descriptions.stream().anyMatch(String::isBlank) || others.stream().anyMatch(String::isBlank)) {
            throw where.problem("a description of '" + name + "' is empty");
        }
        if (new HashSet<>(descriptions).isEmpty()) {
            throw where.problem("the task '" + name + "' has no description");
        }
        return new TrainingTask(name, descriptions, others, List.of(), List.of());
    }

    private TrainingTask complete(Unread unread) {
        TrainingTask task = unread.task();
        if (!examples) {
            return task;
        }
        if (!Files.isRegularFile(unread.file())) {
            throw unread.where().problem("the examples of '" + task.name() + "' are missing: " + unread.file());
        }
        List<Example> train = new ArrayList<>();
        List<Example> heldOut = new ArrayList<>();
        for (JsonRecords record : JsonRecords.read(unread.file())) {
            Optional<PromptTemplate> prompt = unread.prompt().or(() -> template);
            var example = new Example(prompt.map(t -> t.fill(record)).orElseGet(() -> record.text(record.has("prompt") ? "prompt" : "input")),
                    unread.response().map(t -> t.fill(record)).orElseGet(() -> record.text(record.has("response") ? "response" : "output")));
            (HELD_OUT.contains(record.text("split", "train")) ? heldOut : train).add(example);
        }
        if (train.isEmpty()) {
            throw new FormatException(unread.file(), "examples", "there is none to train on (" + heldOut.size() + " are held out)");
        }
        return new TrainingTask(task.name(), task.descriptions(), task.evalDescriptions(), train, heldOut);
    }
}
