package dev.t2l.train;

import dev.t2l.data.YamlDocument;
import dev.t2l.io.AtomicFile;
import dev.t2l.io.FolderLock;
import dev.t2l.io.FormatException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.yaml.snakeyaml.DumperOptions;
import org.yaml.snakeyaml.Yaml;

/**
 * A run on disk: {@code config.yaml}, {@code metrics.jsonl}, {@code checkpoints/step-N}, {@code best} and, when the run has ended,
 * {@code final}. Open in one process at a time.
 */
final class RunFolder implements AutoCloseable {
    static final String CHECKPOINTS = "checkpoints";
    private static final String CONFIG = "config.yaml";
    /** Keys that may change from one resumption to the next: what is learned does not depend on them. */
    private static final List<String> FREE = List.of("out", "checkpoint");

    private final Path path;
    private final Map<String, Object> config;
    private final FolderLock lock;

    private RunFolder(Path path, Map<String, Object> config, FolderLock lock) {
        this.path = path;
        this.config = config;
        this.lock = lock;
    }

    /**
     * @param config of the run, every key with its value
     * @param resume goes on with the run that is there, or begins it if there is none
     * @throws IllegalArgumentException if there is a run and it is not to be resumed, or it is another one
     * @throws FormatException if the folder is no run's
     */
    static RunFolder open(Path path, Map<String, Object> config, boolean resume) {
        try {
            Files.createDirectories(path);
            RunFolder folder = new RunFolder(path, yaml().load(yaml().dump(config)), FolderLock.of(path));
            try {
                folder.prepare(resume);
            } catch (RuntimeException | IOException e) {
                folder.close();
                throw e;
            }
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void prepare(boolean resume) throws IOException {
        Path file = path.resolve(CONFIG);
        if (!Files.exists(file)) {
            try (Stream<Path> list = Files.list(path)) {
                Optional<Path> foreign = list.filter(p -> !p.getFileName().toString().startsWith(".")).findFirst();
                if (foreign.isPresent()) {
                    throw new FormatException(path, "folder", "is not empty and no run's: it has " + foreign.get().getFileName() + " but no " + CONFIG
                            + "; HINT: choose another out");
                }
            }
        } else if (!resume) {
            throw new IllegalArgumentException(path + " holds a run; HINT: --resume goes on with it, another out begins a new one");
        } else {
            requireSame(YamlDocument.read(file));
        }
        ReplacedFolder.recover(path.resolve("best"));
        ReplacedFolder.recover(path.resolve("final"));
        clearCheckpoints();
    }

    private void requireSame(YamlDocument then) {
        if (!(then.root() instanceof Map<?, ?> before)) {
            throw new FormatException(then.file(), "line 1", "wanted a run's configuration");
        }
        var keys = new TreeSet<>(config.keySet());
        before.keySet().forEach(key -> keys.add(String.valueOf(key)));
        keys.removeAll(FREE);
        for (String key : keys) {
            if (!Objects.equals(config.get(key), before.get(key))) {
                throw new IllegalArgumentException(path + " holds a run of another configuration: " + key + " was " + before.get(key) + ", is " + config.get(key)
                        + "; HINT: take it back, or choose another out");
            }
        }
    }

    /** The run's first step comes: from now on the folder holds a run. One whose models or data cannot be opened leaves nothing to resume. */
    void begin() {
        if (!Files.exists(path.resolve(CONFIG))) {
            writeConfig(path, config);
        }
    }

    private static Yaml yaml() {
        var options = new DumperOptions();
        options.setDefaultFlowStyle(DumperOptions.FlowStyle.BLOCK);
        return new Yaml(options);
    }

    /** Says in a folder how what is in it was made. */
    static void writeConfig(Path folder, Map<String, Object> config) {
        AtomicFile.write(folder.resolve(CONFIG), yaml().dump(config).getBytes(StandardCharsets.UTF_8));
    }

    /** Half-written ones go. */
    private void clearCheckpoints() throws IOException {
        Path folder = checkpoints();
        if (!Files.isDirectory(folder)) {
            return;
        }
        try (Stream<Path> list = Files.list(folder)) {
            for (Path hidden : list.filter(p -> p.getFileName().toString().startsWith(".")).toList()) {
                ReplacedFolder.delete(hidden);
            }
        }
    }

    private Path checkpoints() {
        return path.resolve(CHECKPOINTS);
    }

    Path checkpoint(long steps) {
        return checkpoints().resolve(String.format("step-%08d", steps));
    }

    Path best() {
        return path.resolve("best");
    }

    Path end() {
        return path.resolve("final");
    }

    Path metrics() {
        return path.resolve(MetricsLog.FILE);
    }

    /** Checkpoints, the latest last. */
    private List<Path> all() throws IOException {
        if (!Files.isDirectory(checkpoints())) {
            return List.of();
        }
        try (Stream<Path> list = Files.list(checkpoints())) {
            return list.filter(p -> p.getFileName().toString().matches("step-\\d+")).sorted().toList();
        }
    }

    /**
     * The latest checkpoint, checked.
     *
     * @throws FormatException if it is damaged
     */
    Optional<Checkpoint> latest() {
        try {
            List<Path> all = all();
            return all.isEmpty() ? Optional.empty() : Optional.of(Checkpoint.read(all.getLast()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Deletes all checkpoints but the last few. */
    void keep(int count) {
        try {
            List<Path> all = all();
            for (Path old : all.subList(0, Math.max(0, all.size() - count))) {
                Path hidden = old.resolveSibling("." + old.getFileName() + ".old"); // so that no half of it looks like a whole
                Files.move(old, hidden);
                ReplacedFolder.delete(hidden);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        lock.close();
    }
}
