package dev.t2l.train;

import dev.t2l.LanguageModel;
import dev.t2l.TextEncoder;
import dev.t2l.backend.Backend;
import dev.t2l.io.ModelSource;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The frozen models of a run. */
final class TrainingModels implements AutoCloseable {
    private final TrainingConfig config;
    private final Backend backend;
    private LanguageModel base;

    TrainingModels(TrainingConfig config, Backend backend) {
        this.config = config;
        this.backend = backend;
    }

    /** The language model, opened when first needed. */
    LanguageModel base() {
        if (base == null) {
            Path path = ModelSource.resolve(config.models().base());
            base = config.models().baseDtype().isPresent() ? LanguageModel.load(path, backend, config.models().baseDtype().get()) : LanguageModel.load(path, backend);
        }
        return base;
    }

    /** The base as training runs it; several may share its weights. */
    FrozenDecoder frozen() {
        return new FrozenDecoder(base().decoder(), config.precision());
    }

    /** What a hypernetwork reads of samples; it may need the base. */
    SampleEmbeddings embeddings(List<TrainingTask> tasks, List<TokenisedTask> tokenised) {
        return switch (config.models().condition()) {
            case DESCRIPTION -> descriptions(tasks);
            case INPUT -> inputs(tokenised);
            case ONE_HOT -> TaskEmbeddings.oneHot(tasks.size());
        };
    }

    /** The descriptions of these tasks, read once; the encoder is closed after it. */
    TaskEmbeddings descriptions(List<TrainingTask> tasks) {
        try (TextEncoder encoder = encoder()) {
            return TaskEmbeddings.of(tasks, encoder);
        }
    }

    private SampleEmbeddings inputs(List<TokenisedTask> tokenised) {
        TextEncoder encoder = encoder();
        try {
            return new InputEmbeddings(encoder, tokenised);
        } catch (RuntimeException | Error e) {
            encoder.close();
            throw e;
        }
    }

    private TextEncoder encoder() {
        Optional<String> named = config.models().encoder();
        return named.isPresent() ? TextEncoder.load(ModelSource.resolve(named.get()), backend) : TextEncoder.of(base());
    }

    @Override
    public void close() {
        if (base != null) {
            base.close();
        }
    }
}
