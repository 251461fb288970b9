package dev.t2l.train;

import dev.t2l.LanguageModel;
import dev.t2l.TextEncoder;
import dev.t2l.backend.Backend;
import dev.t2l.io.ModelSource;
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
            base = LanguageModel.load(ModelSource.resolve(config.models().base()), backend);
        }
        return base;
    }

    /** The base as training runs it; several may share its weights. */
    FrozenDecoder frozen() {
        return new FrozenDecoder(base().decoder(), config.precision());
    }

    /** The descriptions of these tasks, read once; the encoder is closed after it. */
    TaskEmbeddings embeddings(List<TrainingTask> tasks) {
        Optional<String> named = config.models().encoder();
        if (named.equals(Optional.of(TrainingConfig.ONE_HOT))) {
            return TaskEmbeddings.oneHot(tasks.size());
        }
        try (TextEncoder encoder = named.isPresent() ? TextEncoder.load(ModelSource.resolve(named.get()), backend) : TextEncoder.of(base())) {
            return TaskEmbeddings.of(tasks, encoder);
        }
    }

    @Override
    public void close() {
        if (base != null) {
            base.close();
        }
    }
}
