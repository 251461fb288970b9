package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.train.TrainingConfig.Kind;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A training run from Java; what is not said has {@link TrainingConfig}'s defaults.
 *
 * <pre>{@code
 * Path trained = SupervisedFineTuning.builder().base(smolLm2).encoder(miniLm).data(tasks).steps(1828).set("batch.tasks", 32)
 *         .out(Path.of("runs/mine")).run(backend).trained();
 * }</pre>
 */
public final class TrainingBuilder {
    private final Map<String, Object> values = new LinkedHashMap<>();
    private TrainingListener listener = TrainingListener.NONE;
    private boolean resume;

    TrainingBuilder(Kind kind) {
        values.put("kind", kind.name().toLowerCase(Locale.ROOT));
    }

    /** Of reconstruction; adapters alone are trained by {@link #lora}. */
    public static TrainingBuilder reconstruction() {
        return new TrainingBuilder(Kind.RECON);
    }

    /** Of adapters themselves. */
    public static TrainingBuilder lora() {
        return new TrainingBuilder(Kind.LORA);
    }

    /** The frozen language model. */
    public TrainingBuilder base(Path model) {
        return set("base", model);
    }

    /** Who reads the descriptions; without one the base does. */
    public TrainingBuilder encoder(Path model) {
        return set("encoder", model);
    }

    /** The tasks: see {@link TrainingData}. */
    public TrainingBuilder data(Path tasks) {
        return set("data", tasks);
    }

    public TrainingBuilder steps(int steps) {
        return set("steps", steps);
    }

    /** The run's folder. */
    public TrainingBuilder out(Path folder) {
        return set("out", folder);
    }

    public TrainingBuilder seed(long seed) {
        return set("seed", seed);
    }

    /**
     * Any other key.
     *
     * @param key   as in a file, with dots: {@code optimiser.rate}
     * @param value text, number, boolean, path, list or map
     */
    public TrainingBuilder set(String key, Object value) {
        values.put(key, value);
        return this;
    }

    /** Goes on with the run in the folder, if there is one. */
    public TrainingBuilder resume() {
        resume = true;
        return this;
    }

    public TrainingBuilder listener(TrainingListener follower) {
        listener = follower;
        return this;
    }

    /** @throws dev.t2l.io.FormatException naming the key that is wrong or missing */
    public TrainingConfig config() {
        return TrainingConfig.of(values);
    }

    /** Trains, as {@link Training#run} does; the last result, which is the only one unless each task has an adapter of its own. */
    public Training.Result run(Backend backend) {
        return runAll(backend).getLast();
    }

    /** The same with all results. */
    public List<Training.Result> runAll(Backend backend) {
        return Training.run(config(), backend, resume, listener);
    }
}
