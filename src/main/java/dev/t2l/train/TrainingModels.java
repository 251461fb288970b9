package dev.t2l.train;

import dev.t2l.LanguageModel;
import dev.t2l.TextEncoder;
import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.io.ModelSource;
import dev.t2l.tensor.DType;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The frozen models of one run, or of several that share them: each language model is opened once. Borrows the backend. Not thread-safe. */
public final class TrainingModels implements AutoCloseable {
    private final Backend backend;
    private final Map<Base, LanguageModel> bases = new HashMap<>();
    private final Deque<LanguageModel> opened = new ArrayDeque<>();

    /** A language model, its matrices as they are in the file or converted. */
    private record Base(String path, Optional<DType> dtype) {
    }

    public TrainingModels(Backend backend) {
        this.backend = backend;
    }

    public Backend backend() {
        return backend;
    }

    /** The language model that a configuration names, opened when first needed; this closes it. */
    public LanguageModel base(TrainingConfig.Models models) {
        return base(models.base(), models.baseDtype());
    }

    /** @param dtype its matrices are converted to; empty: they stay as they are in the file */
    public LanguageModel base(String model, Optional<DType> dtype) {
        return bases.computeIfAbsent(new Base(model, dtype), this::open);
    }

    private LanguageModel open(Base wanted) {
        Path path = ModelSource.resolve(wanted.path());
        LanguageModel model = wanted.dtype().isPresent() ? LanguageModel.load(path, backend, wanted.dtype().get()) : LanguageModel.load(path, backend);
        opened.push(model);
        return model;
    }

    /** The base as training runs it; several may share its weights. */
    FrozenDecoder frozen(TrainingConfig config) {
        return new FrozenDecoder(base(config.models()).decoder(), config.precision());
    }

    /** What a hypernetwork reads of samples; it may need the base. */
    SampleEmbeddings embeddings(TrainingConfig config, List<TrainingTask> tasks, List<TokenisedTask> tokenised) {
        return config.models().condition() == Condition.INPUT ? inputs(config, tokenised) : embeddings(config, tasks);
    }

    /** What it reads of tasks: their descriptions, read once, the encoder being closed after it; or their numbers. */
    TaskEmbeddings embeddings(TrainingConfig config, List<TrainingTask> tasks) {
        if (config.models().condition() == Condition.ONE_HOT) {
            return TaskEmbeddings.oneHot(tasks.size());
        }
        try (TextEncoder encoder = encoder(config)) {
            return TaskEmbeddings.of(tasks, encoder);
        }
    }

    private SampleEmbeddings inputs(TrainingConfig config, List<TokenisedTask> tokenised) {
        TextEncoder encoder = encoder(config);
        try {
            return new InputEmbeddings(encoder, tokenised);
        } catch (RuntimeException | Error e) {
            encoder.close();
            throw e;
        }
    }

    private TextEncoder encoder(TrainingConfig config) {
        Optional<String> named = config.models().encoder();
        return named.isPresent() ? TextEncoder.load(ModelSource.resolve(named.get()), backend) : TextEncoder.of(base(config.models()));
    }

    @Override
    public void close() {
        while (!opened.isEmpty()) {
            opened.pop().close();
        }
    }
}
