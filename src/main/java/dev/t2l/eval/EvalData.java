package dev.t2l.eval;

import dev.t2l.data.JsonRecords;
import dev.t2l.data.Spelling;
import dev.t2l.io.FormatException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * A folder of tasks: {@code tasks.json}, a list of objects with {@code name}, {@code metric}, {@code eval_descriptions} and perhaps {@code suite}
 * and {@code options}, and {@code tasks/<name>.jsonl[.gz]}, whose lines have {@code input}, {@code output}, {@code split} (train or test) and
 * perhaps {@code outputs} and {@code options}.
 */
public final class EvalData {
    /** The list of tasks. */
    public static final String TASKS = "tasks.json";
    /** The published descriptions, of benchmarks, too. */
    public static final String DESCRIPTIONS = "descriptions_t2l.jsonl.gz";

    private final Path folder; // null of none
    private Supplier<Map<String, List<String>>> published = Map::of; // where the folder has none
    private final Map<String, JsonRecords> records = new LinkedHashMap<>();

    private EvalData() {
        folder = null;
    }

    /** Of no folder: without any task or description. */
    public static EvalData none() {
        return new EvalData();
    }

    /** Where the folder has no descriptions of benchmarks, these are taken: by name, perhaps beside others. */
    public EvalData orDescribing(Supplier<Map<String, List<String>>> tasks) {
        published = tasks;
        return this;
    }

    /**
     * One without {@code tasks.json} has no task; there may still be descriptions of benchmarks.
     *
     * @throws FormatException naming file and line
     */
    public EvalData(Path folder) {
        this.folder = folder;
        Path list = folder.resolve(TASKS);
        for (JsonRecords record : Files.isRegularFile(list) ? JsonRecords.read(list) : List.<JsonRecords>of()) {
            String name = record.text("name");
            if (!name.matches("[\\w.-]+") || name.startsWith(".")) {
                throw record.problem("a task's name is made of letters, digits and . _ -, found '" + name + "'");
            }
            if (records.put(name, record) != null) {
                throw record.problem("the task '" + name + "' is there twice");
            }
        }
    }

    /**
     * Reads tasks.
     *
     * @param suite of which; all without it
     * @param names which of those, in this order; all if there is none
     * @throws IllegalArgumentException if there is no such suite or task
     */
    public List<EvalTask> tasks(Optional<String> suite, List<String> names) {
        List<String> inSuite = records.keySet().stream().filter(name -> suite.isEmpty() || suite.get().equals(suiteOf(name))).toList();
        if (records.isEmpty()) {
            if (folder == null) {
                throw new IllegalArgumentException("there is no folder of tasks");
            }
            throw new FormatException(folder, "folder", "wanted a file " + TASKS + " with tasks in it, found none");
        }
        if (inSuite.isEmpty()) {
            throw new IllegalArgumentException(folder + " has no task" + suite.map(s -> " of suite '" + s + "'; it has the suites " + suites()).orElse(""));
        }
        for (String name : names) {
            if (!inSuite.contains(name)) {
                throw new IllegalArgumentException("no task " + suite.map(s -> "of suite '" + s + "' ").orElse("") + "is called '" + name + "'"
                        + Spelling.nearest(name, inSuite).map(near -> "; HINT: did you mean '" + near + "'?").orElse(""));
            }
        }
        return (names.isEmpty() ? inSuite : List.copyOf(new LinkedHashSet<>(names))).stream().map(this::task).toList();
    }

    /** Descriptions for evaluation of all tasks of a suite, by name; for controls with wrong descriptions. */
    public Map<String, List<String>> descriptions(String suite) {
        if (suite.equals(Benchmark.SUITE)) {
            return benchmarkDescriptions();
        }
        Map<String, List<String>> all = new LinkedHashMap<>();
        records.forEach((name, record) -> {
            List<String> own = record.texts("eval_descriptions");
            if (suite.equals(suiteOf(name)) && !own.isEmpty()) {
                all.put(name, own);
            }
        });
        return all;
    }

    /** The published evaluation descriptions of benchmarks, by name. */
    public Map<String, List<String>> benchmarkDescriptions() {
        if (folder != null && Files.isRegularFile(folder.resolve(DESCRIPTIONS))) {
            return Benchmark.descriptions(folder.resolve(DESCRIPTIONS));
        }
        Map<String, List<String>> all = published.get();
        Map<String, List<String>> found = new LinkedHashMap<>();
        Stream.of(Benchmark.values()).map(Benchmark::key).filter(all::containsKey).forEach(key -> found.put(key, all.get(key)));
        return found;
    }

    /** Descriptions for training of some tasks, by name. */
    public Map<String, List<String>> trainingDescriptions(Collection<String> names) {
        Map<String, List<String>> all = new LinkedHashMap<>();
        names.forEach(name -> all.put(name, records.get(name).texts("descriptions")));
        return all;
    }

    /** What kind of task it is, as {@code family} in tasks.json says, or else its suite. */
    public String family(String name) {
        return records.get(name).text("family", suiteOf(name));
    }

    /** The names of all tasks that are in none of these suites. */
    public List<String> outside(Collection<String> suites) {
        return records.keySet().stream().filter(name -> !suites.contains(suiteOf(name))).toList();
    }

    private List<String> suites() {
        return records.keySet().stream().map(this::suiteOf).distinct().toList();
    }

    private String suiteOf(String name) {
        return records.get(name).text("suite", "");
    }

    private EvalTask task(String name) {
        JsonRecords record = records.get(name);
        Metric metric;
        try {
            metric = Metric.of(record.text("metric"));
        } catch (IllegalArgumentException e) {
            throw record.problem(e.getMessage());
        }
        List<EvalExample> train = new ArrayList<>();
        List<EvalExample> tests = new ArrayList<>();
        Path file = Stream.of(".jsonl.gz", ".jsonl", ".json").map(end -> folder.resolve("tasks").resolve(name + end)).filter(Files::isRegularFile).findFirst()
                .orElseThrow(() -> record.problem("the examples of '" + name + "' are missing: " + folder.resolve("tasks").resolve(name + ".jsonl")));
        for (JsonRecords line : JsonRecords.read(file)) {
            List<String> outputs = line.texts("outputs");
            List<String> options = line.texts("options");
            var example = new EvalExample(line.text("input"), outputs.isEmpty() ? List.of(line.text("output")) : outputs,
                    options.isEmpty() ? record.texts("options") : options,
                    metric == Metric.PASS_AT_1 ? Optional.of(new ProgramTest(line.text("input"), line.text("test"), line.text("entry_point"))) : Optional.empty());
            String split = line.text("split", "test");
            switch (split) {
                case "train" -> train.add(example);
                case "test" -> tests.add(example);
                default -> { } // validation
            }
        }
        if (tests.isEmpty()) {
            throw new FormatException(file, "examples", "none has the split 'test'");
        }
        return new EvalTask(name, suiteOf(name), metric, record.texts("eval_descriptions"), train, tests, "");
    }
}
