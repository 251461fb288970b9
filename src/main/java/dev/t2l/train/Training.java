package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.io.FormatException;
import dev.t2l.io.PeftAdapter;
import dev.t2l.train.TaskSampler.Size;
import dev.t2l.train.TrainingConfig.Kind;
import dev.t2l.train.TrainingConfig.Share;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/**
 * Training as a configuration describes it, from opening models and data to the trained folder. A run's folder holds {@code config.yaml},
 * {@code metrics.jsonl} ({@link MetricsLog}), {@code checkpoints}, {@code best} and {@code final}: hypernetworks as
 * {@link dev.t2l.TextToLora} loads them, adapters as PEFT folders. One adapter a task has a run of its own for each, in folders by the tasks'
 * names.
 */
public final class Training {
    private final TrainingConfig config;
    private final TrainingModels models;
    private final boolean resume;
    private final TrainingListener listener;

    /**
     * What a run has made.
     *
     * @param trained what was trained, after the last step
     * @param best    the same at the lowest validation loss, if there was a validation
     */
    public record Result(Path trained, Optional<Path> best, long steps) {
    }

    private Training(TrainingConfig config, TrainingModels models, boolean resume, TrainingListener listener) {
        this.config = config;
        this.models = models;
        this.resume = resume;
        this.listener = listener;
    }

    /**
     * Trains to the end.
     *
     * @param resume goes on after the last checkpoint of the run's folder, with the bits that the run would have had on this backend without
     *               interruption; begins where there is none
     * @return one result, or, with one adapter a task, one for each
     * @throws IllegalArgumentException if the folder holds a run that is not to be resumed, or one of another configuration
     * @throws TrainingException if a loss or gradient is not finite; the last checkpoint stays
     * @throws dev.t2l.io.FormatException if a file of models, data or checkpoints is not what it should be
     */
    public static List<Result> run(TrainingConfig config, Backend backend, boolean resume, TrainingListener listener) {
        try (var models = new TrainingModels(backend)) {
            return run(config, models, resume, listener);
        }
    }

    /** The same with models that other runs use, too. */
    public static List<Result> run(TrainingConfig config, TrainingModels models, boolean resume, TrainingListener listener) {
        return new Training(config, models, resume, listener).run();
    }

    /** Deletes the checkpoints of a run that has ended; what was trained stays. */
    public static void discardCheckpoints(Path run) {
        try {
            ReplacedFolder.delete(run.resolve(RunFolder.CHECKPOINTS));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private List<Result> run() {
        List<TrainingTask> tasks = TrainingData.load(config, config.kind() != Kind.RECON);
        if (config.kind() == Kind.LORA && config.adapter().of() == Share.TASK) {
            List<Result> results = new ArrayList<>();
            for (TrainingTask task : tasks) {
                listener.note("task " + task.name());
                results.add(tuned(List.of(task), config.run().out().resolve(task.name())));
            }
            return results;
        }
        return List.of(config.kind() == Kind.RECON ? reconstructed(tasks) : tuned(tasks, config.run().out()));
    }

    private Result tuned(List<TrainingTask> tasks, Path out) {
        try (RunFolder folder = RunFolder.open(out, config.resolved(), resume)) {
            List<TokenisedTask> tokenised = models.tokenised(config, tasks);
            tell(tokenised);
            if (config.kind() == Kind.LORA) {
                SampleSource samples = samples(tokenised, task -> 1);
                try (var trainee = new LoraTrainee(config, samples, models.frozen(config))) {
                    return run(trainee, samples.sampler(), tasks.size(), folder);
                }
            }
            try (SampleEmbeddings embeddings = models.embeddings(config, tasks, tokenised)) {
                SampleSource samples = samples(tokenised, embeddings::choices);
                HyperSetup setup = HyperSetup.of(config, models.base(config.models()).config(), tasks, embeddings);
                try (var trainee = new SftTrainee(setup, samples, models.frozen(config))) {
                    return run(trainee, samples.sampler(), tasks.size(), folder);
                }
            }
        }
    }

    private Result reconstructed(List<TrainingTask> tasks) {
        try (RunFolder folder = RunFolder.open(config.run().out(), config.resolved(), resume)) {
            Path oracles = Path.of(config.reconstruction().oracles().orElseThrow());
            for (TrainingTask task : tasks) {
                if (!Files.isDirectory(oracles.resolve(task.name()))) {
                    throw new FormatException(oracles, "folder", "has no adapter of the task '" + task.name() + "'; HINT: t2l train lora with adapter.of: task makes them, or choose tasks");
                }
            }
            TaskEmbeddings embeddings = models.embeddings(config, tasks);
            var library = new OracleLibrary(IntStream.range(0, tasks.size())
                    .mapToObj(i -> new Oracle(tasks.get(i).name(), PeftAdapter.read(oracle(oracles, tasks.get(i))), embeddings.training().get(i))).toList());
            listener.note(library.size() + " adapters");
            long perEpoch = Math.ceilDiv(tasks.size(), config.batch().tasks());
            Schedule schedule = schedule(tasks.size(), perEpoch);
            try (var trainee = new ReconTrainee(config, library, embeddings, schedule, models.backend())) {
                return new TrainingRun(config, trainee, schedule, models, listener).run(folder);
            }
        }
    }

    /** A PEFT folder, or the folder of a run that made one. */
    private static Path oracle(Path oracles, TrainingTask task) {
        Path run = oracles.resolve(task.name()).resolve("final");
        return Files.isDirectory(run) ? run : oracles.resolve(task.name());
    }

    private SampleSource samples(List<TokenisedTask> tokenised, IntUnaryOperator descriptions) {
        List<Size> sizes = IntStream.range(0, tokenised.size()).mapToObj(i -> new Size(tokenised.get(i).examples().size(), descriptions.applyAsInt(i))).toList();
        return new SampleSource(tokenised, new TaskSampler(sizes, config.batch(), config.seed()), config.batch());
    }

    private void tell(List<TokenisedTask> tasks) {
        long examples = tasks.stream().mapToLong(task -> task.examples().size()).sum();
        long tokens = tasks.stream().flatMap(task -> task.examples().stream()).mapToLong(example -> example.ids().length).sum();
        long heldOut = tasks.stream().mapToLong(task -> task.heldOut().size()).sum();
        listener.note(String.format(Locale.ROOT, "%,d examples of %,d tasks, %,d tokens; %,d held out", examples, tasks.size(), tokens, heldOut));
        List<TokenisedTask> losing = tasks.stream().filter(task -> task.refused() > 0).toList();
        if (!losing.isEmpty()) {
            listener.note(String.format(Locale.ROOT, "left out: %,d examples without a response token after shortening, of %,d tasks, most of '%s'",
                    losing.stream().mapToLong(TokenisedTask::refused).sum(), losing.size(),
                    losing.stream().reduce((a, b) -> a.refused() >= b.refused() ? a : b).orElseThrow().name()));
        }
    }

    private Result run(Trainee trainee, TaskSampler sampler, int tasks, RunFolder folder) {
        return new TrainingRun(config, trainee, schedule(tasks, sampler.stepsPerEpoch()), models, listener).run(folder);
    }

    private Schedule schedule(int tasks, long stepsPerEpoch) {
        return Schedule.ofFraction(config.optimiser().rate(), config.optimiser().warmup(), config.budget().steps(tasks, stepsPerEpoch));
    }
}
