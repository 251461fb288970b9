package dev.t2l.train;

import dev.t2l.LanguageModel;
import dev.t2l.TextEncoder;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Roofline;
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
import java.util.OptionalDouble;
import java.util.stream.Stream;

/**
 * What one run needs of frozen models, or what several share: each language model is opened once, each description is encoded and each example tokenised once.
 * Borrows the backend. Not thread-safe.
 */
public final class TrainingModels implements AutoCloseable {
    private final Backend backend;
    private final Map<Base, LanguageModel> bases = new HashMap<>();
    private final Deque<LanguageModel> opened = new ArrayDeque<>();
    private final Map<Reader, Map<String, float[]>> vectors = new HashMap<>(); // of descriptions
    private final Map<Written, TokenisedTask> tokens = new HashMap<>();
    private OptionalDouble ceiling;

    /** A language model, its matrices as they are in the file or converted. */
    private record Base(String path, Optional<DType> dtype) {
    }

    /** Who encodes descriptions: an encoder, or the base. */
    private record Reader(Optional<String> encoder, Optional<Base> base) {
        static Reader of(TrainingConfig.Models models) {
            return new Reader(models.encoder(), models.encoder().isPresent() ? Optional.empty() : Optional.of(new Base(models.base(), models.baseDtype())));
        }
    }

    /** What a task's tokens depend on. */
    private record Written(String base, TrainingConfig.Text text, TrainingTask task) {
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
        Map<String, float[]> known = vectors.computeIfAbsent(Reader.of(config.models()), _ -> new HashMap<>());
        List<String> texts = tasks.stream().flatMap(task -> Stream.concat(task.descriptions().stream(), task.evalDescriptions().stream())).distinct()
                .filter(text -> !known.containsKey(text)).toList();
        if (!texts.isEmpty()) {
            try (TextEncoder encoder = encoder(config)) {
                for (int from = 0; from < texts.size(); from += InputEmbeddings.AT_ONCE) {
                    List<String> some = texts.subList(from, Math.min(texts.size(), from + InputEmbeddings.AT_ONCE));
                    float[][] rows = encoder.embedTasks(some);
                    for (int i = 0; i < rows.length; i++) {
                        known.put(some.get(i), rows[i]);
                    }
                }
            }
        }
        return TaskEmbeddings.of(tasks, known);
    }

    /** The examples of tasks as the base reads them. */
    List<TokenisedTask> tokenised(TrainingConfig config, List<TrainingTask> tasks) {
        List<Written> wanted = tasks.stream().map(task -> new Written(config.models().base(), config.text(), task)).toList();
        List<Written> missing = wanted.stream().filter(one -> !tokens.containsKey(one)).toList();
        List<TokenisedTask> made = TokenisedTask.of(missing.stream().map(Written::task).toList(), PromptFormat.of(base(config.models()), config.text()));
        for (int i = 0; i < made.size(); i++) {
            tokens.put(missing.get(i), made.get(i));
        }
        return wanted.stream().map(tokens::get).toList();
    }

    /** What the device's dense bf16 product reaches, in operations a second, measured once; empty where there is none. */
    OptionalDouble ceiling() {
        if (ceiling == null) {
            ceiling = backend.name().equals("cuda") ? Roofline.measure(backend).flopsPerSecond() : OptionalDouble.empty();
        }
        return ceiling;
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
