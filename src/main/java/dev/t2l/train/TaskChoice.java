package dev.t2l.train;

import dev.t2l.data.Section;
import dev.t2l.data.Spelling;
import dev.t2l.io.FormatException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;

/**
 * Which of the tasks: {@code tasks: all}, a list of names, {@code {count: 64, seed: 1}} for so many of them at random, or the name of a
 * file with one name a line.
 */
sealed interface TaskChoice {
    record All() implements TaskChoice {
    }

    record Named(List<String> names) implements TaskChoice {
    }

    record Drawn(int count, long seed) implements TaskChoice {
    }

    record Listed(Path file) implements TaskChoice {
    }

    static TaskChoice read(Section at, String key) {
        return switch (at.any(key)) {
            case null -> new All();
            case String text when text.equals("all") -> new All();
            case String text -> new Listed(Path.of(text));
            case List<?> list when list.isEmpty() -> throw at.problem(key, "wanted at least one name of a task, found an empty list");
            case List<?> _ -> new Named(at.texts(key, List.of()));
            case Map<?, ?> _ -> {
                Section drawn = at.section(key);
                var choice = new Drawn(drawn.integer("count", 1).orElseThrow(() -> drawn.problem("count", "is missing")), drawn.seed("seed", 0));
                drawn.done();
                yield choice;
            }
            default -> throw at.problem(key, "wanted all, a list of names, {count: N, seed: S}, or a file with one name a line");
        };
    }

    /**
     * The chosen ones: named ones in the order of the names, others in that of {@code all}.
     *
     * @throws IllegalArgumentException if a name is unknown or stands twice, or too many are asked for
     */
    default List<TrainingTask> of(List<TrainingTask> all) {
        return switch (this) {
            case All() -> all;
            case Named(List<String> names) -> named(all, names, "tasks");
            case Drawn(int count, long seed) -> {
                if (count > all.size()) {
                    throw new IllegalArgumentException("tasks: wanted " + count + ", but there are " + all.size());
                }
                List<Integer> order = new ArrayList<>();
                for (int i = 0; i < all.size(); i++) {
                    order.add(i);
                }
                Collections.shuffle(order, new Random(seed));
                yield new TreeSet<>(order.subList(0, count)).stream().map(all::get).toList();
            }
            case Listed(Path file) -> named(all, lines(file), file.toString());
        };
    }

    private static List<TrainingTask> named(List<TrainingTask> all, List<String> names, String where) {
        Set<String> seen = new HashSet<>();
        List<TrainingTask> chosen = new ArrayList<>();
        for (String name : names) {
            if (!seen.add(name)) {
                throw new IllegalArgumentException(where + ": '" + name + "' stands twice");
            }
            chosen.add(all.stream().filter(task -> task.name().equals(name)).findFirst().orElseThrow(() -> new IllegalArgumentException(where + ": no task is called '"
                    + name + "'; HINT: " + Spelling.nearest(name, all.stream().map(TrainingTask::name).toList()).map(near -> "did you mean '" + near + "'?")
                    .orElse("there are " + all.size() + ", the first of them " + all.stream().limit(3).map(TrainingTask::name).toList()))));
        }
        return chosen;
    }

    private static List<String> lines(Path file) {
        try {
            List<String> names = Files.readAllLines(file).stream().map(String::strip).filter(line -> !line.isEmpty() && !line.startsWith("#")).toList();
            if (names.isEmpty()) {
                throw new FormatException(file, "line 1", "wanted names of tasks, one a line, found none");
            }
            return names;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
