package dev.t2l.eval;

import dev.t2l.AdapterMix;
import dev.t2l.AdapterRouter;
import dev.t2l.Adapter;
import dev.t2l.LanguageModel;
import dev.t2l.io.FormatException;
import dev.t2l.io.PeftConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * Adapters of single tasks, oracles: PEFT folders named by task, or the runs that {@code t2l train lora} with {@code adapter.of: task} leaves, whose
 * {@code final} is taken. Closing it ends what was made of them.
 */
public final class TaskAdapters implements AutoCloseable {
    private final LanguageModel base;
    private final LoraScale scale;
    private final Map<String, Path> folders = new TreeMap<>();
    private final Map<String, String> fingerprints = new HashMap<>();
    private final Deque<AutoCloseable> made = new ArrayDeque<>();

    /**
     * @param parents folders of such folders; of one name, the last counts
     * @throws FormatException if there is no adapter in one of them
     */
    public TaskAdapters(LanguageModel base, List<Path> parents, LoraScale scale) {
        this.base = base;
        this.scale = scale;
        for (Path parent : parents) {
            Map<String, Path> found = new TreeMap<>();
            try (Stream<Path> children = Files.list(parent)) {
                for (Path child : children.toList()) {
                    Stream.of(child.resolve("final"), child).filter(folder -> Files.isRegularFile(folder.resolve(PeftConfig.FILE))).findFirst()
                            .ifPresent(folder -> found.put(child.getFileName().toString(), folder));
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            if (found.isEmpty()) {
                throw new FormatException(parent, "folder", "wanted PEFT folders named by task in it, found none; HINT: t2l train lora --config oracle makes them");
            }
            folders.putAll(found);
        }
    }

    /** The tasks that have one, by name. */
    public Set<String> tasks() {
        return folders.keySet();
    }

    /** The text is a task's name. */
    public AdapterSource each() {
        return new AdapterSource() {
            @Override
            public String identity(String task) {
                return "oracle " + scale + " " + fingerprint(task);
            }

            @Override
            public List<Loaded> load(List<String> names) {
                return names.stream().map(task -> {
                    Adapter adapter = read(task);
                    return Loaded.owned(adapter, scale.factor(adapter.config().scaling()));
                }).toList();
            }
        };
    }

    /** One adapter whose A and B are the means of all A and B: the paper's "average LoRA". Each keeps its own scale. */
    public AdapterSource average(Collection<String> tasks) {
        return AdapterSource.shared(once(() -> {
            List<Adapter> all = tasks.stream().map(this::read).toList();
            try {
                Adapter average = AdapterMix.average(all).elementwise();
                made.push(average);
                return average;
            } finally {
                all.forEach(Adapter::close);
            }
        }), "average " + fingerprint(tasks));
    }

    /** Each token chooses among the tasks' adapters, at each layer and projection: {@link AdapterRouter#arrow}. Each keeps its own scale. */
    public AdapterSource arrow(Collection<String> tasks) {
        return AdapterSource.shared(once(() -> {
            AdapterRouter router = AdapterRouter.arrow(readAll(tasks), base.backend());
            made.push(router);
            return router;
        }), "arrow " + fingerprint(tasks));
    }

    private static <T> Supplier<T> once(Supplier<? extends T> make) {
        List<T> kept = new ArrayList<>(1);
        return () -> {
            if (kept.isEmpty()) {
                kept.add(make.get());
            }
            return kept.getFirst();
        };
    }

    private List<Adapter> readAll(Collection<String> tasks) {
        return tasks.stream().map(task -> {
            Adapter adapter = read(task);
            made.push(adapter);
            return adapter;
        }).toList();
    }

    private Adapter read(String task) {
        return base.loadAdapter(folders.get(task));
    }

    private String fingerprint(Collection<String> tasks) {
        return Fingerprint.of(tasks.stream().map(this::fingerprint).toList());
    }

    private synchronized String fingerprint(String task) {
        return fingerprints.computeIfAbsent(task, name -> Fingerprint.of(folders.get(name)));
    }

    @Override
    public void close() {
        while (!made.isEmpty()) {
            try {
                made.pop().close();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
