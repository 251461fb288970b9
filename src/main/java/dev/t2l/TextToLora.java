package dev.t2l;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Gate;
import dev.t2l.backend.Lane;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.hyper.Hypernetwork;
import dev.t2l.io.ModelSource;
import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;

/**
 * A sentence that describes a task becomes a LoRA adapter, in one forward pass of a hypernetwork (arXiv 2506.06105).
 *
 * <p>Thread-safe. {@link #close} refuses new calls, lets running ones end, and frees the adapters that {@link #adapt} keeps and nobody
 * uses; a second close is harmless. Language model, encoder and backend are the caller's and must outlive this; an encoder that this
 * looked up itself it closes itself.
 */
public final class TextToLora implements AutoCloseable {
    private final HyperCheckpoint checkpoint;
    private final Hypernetwork network;
    private final Backend backend;
    private final Reader reader;
    private final Optional<AdapterPipelines> pipelines;
    private final AtomicReference<AdapterCache> cache = new AtomicReference<>();
    private final Gate gate = new Gate("the Text-to-LoRA network");

    /**
     * Who reads the descriptions.
     *
     * @param release at the end, if the encoder is this object's own
     */
    private record Reader(TextEncoder encoder, Runnable release) {
        static Reader borrowed(TextEncoder encoder) {
            return new Reader(encoder, () -> { });
        }
    }

    private TextToLora(HyperCheckpoint checkpoint, Backend backend, Reader reader) {
        this.checkpoint = checkpoint;
        this.backend = backend;
        this.network = checkpoint.network(backend);
        this.reader = reader;
        this.pipelines = backend.replays() ? reader.encoder().pooled(backend).map(encoder -> new AdapterPipelines(backend, encoder, network)) : Optional.empty();
    }

    /**
     * Opens a checkpoint for a language model.
     *
     * @param folder  with hypermod.pt (or hypermod.safetensors), args.yaml and adapter_config.json
     * @param encoder the one that the checkpoint was trained with
     * @throws dev.t2l.io.FormatException if a file breaks its format
     * @throws IllegalArgumentException if encoder or language model do not fit the checkpoint
     */
    public static TextToLora load(Path folder, LanguageModel base, TextEncoder encoder) {
        return load(folder, Optional.of(base.config()), base.backend(), Reader.borrowed(encoder));
    }

    /**
     * Opens a checkpoint and the encoder that it names: its {@code emb_model} in the local Hugging Face cache, or, where it names none,
     * the language model itself.
     */
    public static TextToLora load(Path folder, LanguageModel base) {
        Optional<String> named = encoderOf(folder);
        TextEncoder encoder = named.isPresent() ? TextEncoder.load(ModelSource.resolve(named.get()), base.backend())
                : TextEncoder.lastToken(base.decoder(), base.tokenizer(), base.gate());
        return load(folder, Optional.of(base.config()), base.backend(), new Reader(encoder, encoder::close));
    }

    /**
     * Opens a checkpoint without its language model: adapters can be generated and saved.
     *
     * @param base the shape of the language model to check against, if known
     */
    public static TextToLora load(Path folder, Optional<DecoderConfig> base, Backend backend, TextEncoder encoder) {
        return load(folder, base, backend, Reader.borrowed(encoder));
    }

    private static TextToLora load(Path folder, Optional<DecoderConfig> base, Backend backend, Reader reader) {
        var event = new Events.Load();
        event.begin();
        HyperCheckpoint checkpoint = open(folder, reader);
        try {
            base.ifPresent(config -> requireFits(checkpoint.config(), config, folder));
            requireFits(checkpoint.config(), reader.encoder(), folder);
            var t2l = new TextToLora(checkpoint, backend, reader);
            event.path = folder.toString();
            event.backend = backend.description();
            event.commit();
            return t2l;
        } catch (RuntimeException e) {
            checkpoint.close();
            reader.release().run();
            throw e;
        }
    }

    /** The text encoder that a checkpoint names; empty if its base language model reads the descriptions. */
    public static Optional<String> encoderOf(Path folder) {
        try (HyperCheckpoint checkpoint = HyperCheckpoint.load(folder)) {
            return checkpoint.config().origin().embModel();
        }
    }

    /** The evaluation descriptions that a checkpoint's training arguments hold, by task; none if it has none. */
    public static Map<String, List<String>> evalDescriptionsOf(Path folder) {
        try (HyperCheckpoint checkpoint = HyperCheckpoint.load(folder)) {
            return checkpoint.evalDescriptions();
        }
    }

    private static HyperCheckpoint open(Path folder, Reader reader) {
        try {
            return HyperCheckpoint.load(folder);
        } catch (RuntimeException e) {
            reader.release().run();
            throw e;
        }
    }

    private static void requireFits(HyperConfig config, TextEncoder encoder, Path folder) {
        if (config.origin().condition() == Condition.ONE_HOT) {
            throw new IllegalArgumentException(folder + " was trained on one-hot task embeddings; it cannot read texts");
        }
        if (config.architecture().embedding() != encoder.width()) {
            throw new IllegalArgumentException(folder + " reads embeddings of " + config.architecture().embedding() + " values, the encoder gives "
                    + encoder.width() + "; HINT: it was trained with " + config.origin().embModel().orElse("its base model") + " as encoder");
        }
    }

    private static void requireFits(HyperConfig config, DecoderConfig base, Path folder) {
        if (config.lora().layers() != base.layers()) {
            throw new IllegalArgumentException(folder + " makes adapters for " + config.lora().layers() + " layers, the language model has "
                    + base.layers() + "; HINT: it was trained for " + config.origin().baseModel());
        }
        for (HyperConfig.Target target : config.targets()) {
            int in = base.in(target.projection());
            int out = base.out(target.projection());
            if (target.in() != in || target.out() != out) {
                throw new IllegalArgumentException(folder + " makes adapters for a " + target.projection().peftName() + " of " + target.in() + " to " + target.out()
                        + " features, the language model's maps " + in + " to " + out + "; HINT: it was trained for " + config.origin().baseModel());
            }
        }
    }

    /**
     * The adapter for one description. The caller closes it.
     *
     * @throws IllegalArgumentException if the description is empty
     * @throws IllegalStateException if this was trained to read inputs ({@link #generateForInputs})
     */
    public Adapter generate(String description) {
        return generate(List.of(description)).getFirst();
    }

    /** Adapters for any number of descriptions, in one pass; each is the same as if it were generated alone. */
    public List<Adapter> generate(List<String> descriptions) {
        requireReads(Condition.DESCRIPTION);
        return generated(descriptions);
    }

    /**
     * An adapter for each input, by a hypernetwork that was trained so ({@code condition: input}): the text of a request makes the adapter that the
     * request then runs with. In training that text is a sample's prompt before the chat template.
     *
     * @throws IllegalArgumentException if an input is empty
     * @throws IllegalStateException if this was trained to read descriptions
     */
    public List<Adapter> generateForInputs(List<String> inputs) {
        requireReads(Condition.INPUT);
        return generated(inputs);
    }

    /** The adapter for one input: see {@link #generateForInputs}. The caller closes it. */
    public Adapter generateForInput(String input) {
        return generateForInputs(List.of(input)).getFirst();
    }

    /**
     * An adapter for each task embedding, by the network alone: for embeddings that are kept, or mixed.
     *
     * @param embeddings [n][encoder().width()], as {@link TextEncoder#embedTasks} gives them
     * @return n adapters, each without a description and to be closed by the caller; of the same bits as {@link #generate} makes of the descriptions
     * @throws IllegalArgumentException if an embedding has another width than the network was trained with
     */
    public List<Adapter> generateFromEmbeddings(float[][] embeddings) {
        if (embeddings.length == 0) {
            return List.of();
        }
        int width = config().architecture().embedding();
        float[] rows = new float[Math.multiplyExact(embeddings.length, width)];
        for (int i = 0; i < embeddings.length; i++) {
            if (embeddings[i].length != width) {
                throw new IllegalArgumentException("wanted task embeddings of " + width + " values, as the hypernetwork was trained with, found " + embeddings[i].length
                        + " in row " + i + "; HINT: encoder().embedTasks");
            }
            System.arraycopy(embeddings[i], 0, rows, i * width, width);
        }
        try (var _ = new Use(List.of(gate)); Lane _ = backend.lane(); Memory memory = backend.allocate(4L * rows.length)) {
            Tensor placed = Tensor.of(DType.F32, memory.segment(), embeddings.length, width);
            backend.upload(placed, MemorySegment.ofArray(rows));
            return network.generate(placed).stream().map(lora -> adapter(lora, Optional.empty(), lora::close)).toList();
        }
    }

    private void requireReads(Condition wanted) {
        if (config().origin().condition() != wanted) {
            throw new IllegalStateException(wanted == Condition.INPUT
                    ? "this hypernetwork was trained to read descriptions of tasks, not inputs; HINT: generate"
                    : "this hypernetwork was trained to read the input that its adapter is for, not descriptions of tasks; HINT: generateForInput, run without --task, adapt --input");
        }
    }

    private List<Adapter> generated(List<String> texts) {
        if (texts.isEmpty()) {
            return List.of();
        }
        try (var _ = new Use(List.of(gate))) {
            List<GeneratedLora> loras = factors(texts);
            return IntStream.range(0, loras.size()).mapToObj(i -> adapter(loras.get(i), Optional.of(texts.get(i)), loras.get(i)::close)).toList();
        }
    }

    /**
     * The adapter for one description, kept for the next who asks for it ({@link AdapterCache}). Its matrices are shared by all who asked;
     * closing it gives back the caller's part alone, and must not be forgotten, for until then they cannot be freed.
     *
     * @throws IllegalArgumentException if the description is empty
     * @throws IllegalStateException if this was trained to read inputs
     */
    public Adapter adapt(String description) {
        requireReads(Condition.DESCRIPTION);
        try (var _ = new Use(List.of(gate))) {
            var event = new Events.Adapt();
            event.begin();
            AdapterCache.Loan loan = cache().lend(this, description, () -> factors(List.of(description)).getFirst());
            if (loan.hit()) {
                event.descriptions = 1;
                event.cached = 1;
                event.commit();
            }
            return adapter(loan.lora(), Optional.of(description), loan.release());
        }
    }

    /** Where {@link #adapt} keeps its adapters: of {@value AdapterCache#DEFAULT_MIB} MiB, unless {@link #keepIn} gave another. */
    public AdapterCache cache() {
        AdapterCache given = cache.get();
        return given != null ? given : cache.updateAndGet(now -> now == null ? new AdapterCache() : now);
    }

    /**
     * Has {@link #adapt} keep its adapters in a cache of another size, or in one with other hypernetworks.
     *
     * @return this
     * @throws IllegalStateException if it has a cache already: this comes before {@link #adapt} and {@link #cache}
     */
    public TextToLora keepIn(AdapterCache other) {
        if (!cache.compareAndSet(null, other)) {
            throw new IllegalStateException("there is a cache of adapters already; HINT: choose one before the first is asked for");
        }
        return this;
    }

    private Adapter adapter(GeneratedLora lora, Optional<String> description, Runnable release) {
        return new Adapter(lora.lora(), checkpoint.adapterConfig(), description, Optional.of(backend), release);
    }

    /** Their adapters' matrices. */
    private List<GeneratedLora> factors(List<String> descriptions) {
        var event = new Events.Adapt();
        event.begin();
        TextEncoder encoder = reader.encoder();
        List<GeneratedLora> made;
        try (var _ = new Use(encoder.gates())) {
            int[][] ids = encoder.taskIds(descriptions);
            made = pipelines.isPresent() && ids.length == 1 && ids[0].length <= AdapterPipeline.TOKENS ? List.of(pipelines.get().generate(ids[0])) : directly(ids);
        }
        event.descriptions = descriptions.size();
        event.commit();
        return made;
    }

    private List<GeneratedLora> directly(int[][] ids) {
        int width = reader.encoder().width();
        try (Lane _ = backend.lane(); Memory memory = backend.allocate(4L * ids.length * width)) {
            Tensor embeddings = Tensor.of(DType.F32, memory.segment(), ids.length, width);
            reader.encoder().taskEmbeddings(ids, embeddings);
            return network.generate(embeddings);
        }
    }

    /** What the checkpoint is: variant, rank, targets, base model, encoder. */
    public HyperConfig config() {
        return checkpoint.config();
    }

    /** The encoder that reads the descriptions. */
    public TextEncoder encoder() {
        return reader.encoder();
    }

    @Override
    public void close() {
        gate.close(() -> {
            Optional.ofNullable(cache.get()).ifPresent(kept -> kept.forget(this));
            pipelines.ifPresent(AdapterPipelines::close);
            network.close();
            checkpoint.close();
            reader.release().run();
        });
    }
}
