package dev.t2l;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Gate;
import dev.t2l.io.ModelSource;
import dev.t2l.model.DecodeSessions;
import dev.t2l.model.Decoder;
import dev.t2l.model.DecoderConfig;
import dev.t2l.model.DecoderFile;
import dev.t2l.model.MergedWeights;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.DType;
import dev.t2l.text.ChatTemplate;
import dev.t2l.text.Tokenizer;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * A decoder-only language model that generates text, with adapters as arguments of a request.
 *
 * <p>Thread-safe: requests from several threads run at once, each with its own adapters. {@link #close} refuses new requests, lets
 * running ones end, then releases the weights; a second close is harmless. The backend is the caller's and must outlive the model.
 */
public final class LanguageModel implements AutoCloseable {
    private final Path path;
    private final ModelText text;
    private final Version version;
    private final Gate gate;

    /**
     * A decoder, which is that of the sessions.
     *
     * @param memory of its weights
     * @param origin that adapters were merged into, or null
     */
    private record Version(DecodeSessions sessions, SharedMemory memory, Version origin) {
        Decoder decoder() {
            return sessions.decoder();
        }

        /** Holds the memory of this one, most of whose weights it shares. */
        Version merge(List<LoraBatch.Entry> adapters) {
            MergedWeights merged = MergedWeights.of(decoder(), adapters);
            memory.retain();
            return new Version(new DecodeSessions(new Decoder(decoder().backend(), decoder().config(), merged.weights())), new SharedMemory(() -> {
                merged.close();
                memory.release();
            }), this);
        }
    }

    private LanguageModel(Path path, ModelText text, Version version) {
        this.path = path;
        this.text = text;
        this.version = version;
        this.gate = new Gate("the language model " + path);
    }

    /**
     * Opens a Hugging Face folder or a GGUF file. Weights stay in the file, mapped, in its formats.
     *
     * @throws dev.t2l.io.FormatException if a file breaks its format or is of an unsupported architecture
     */
    public static LanguageModel load(Path path, Backend backend) {
        return load(path, backend, () -> DecoderFile.open(path, backend));
    }

    /**
     * The same with every matrix converted to one type as it is read, which takes the memory that this type takes: a quantised file in
     * bf16, say. Norms and biases stay as they are.
     *
     * @param matrices F32, F16 or BF16
     * @throws IllegalArgumentException if it is another
     */
    public static LanguageModel load(Path path, Backend backend, DType matrices) {
        return load(path, backend, () -> DecoderFile.open(path, backend, matrices));
    }

    private static LanguageModel load(Path path, Backend backend, Supplier<DecoderFile> open) {
        var event = new Events.Load();
        event.begin();
        DecoderFile file = open.get();
        try {
            ModelText text = ModelText.of(path);
            var memory = new SharedMemory(() -> {
                file.close();
                text.close();
            });
            var model = new LanguageModel(path, text, new Version(new DecodeSessions(new Decoder(backend, file.config(), file.weights())), memory, null));
            event.path = path.toString();
            event.backend = backend.description();
            event.commit();
            return model;
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /**
     * A model out of its parts, without chat template: it continues plain text ({@link Request#raw}). It takes the tokeniser over.
     *
     * @param name    what it is called
     * @param release ends the memory of the decoder's weights; called once
     */
    public static LanguageModel of(String name, Decoder decoder, Tokenizer tokenizer, Runnable release) {
        ModelText text = ModelText.of(tokenizer);
        return new LanguageModel(Path.of(name), text, new Version(new DecodeSessions(decoder), new SharedMemory(() -> {
            release.run();
            text.close();
        }), null));
    }

    /** As {@link #load(Path, Backend)}, from a folder, a file, or a hub id that the local Hugging Face cache holds. */
    public static LanguageModel load(String source, Backend backend) {
        return load(ModelSource.resolve(source), backend);
    }

    /** Continues a conversation, streaming the text into {@code sink}. */
    public Completion generate(Chat chat, Adaptation adaptation, Sampling sampling, Consumer<String> sink) {
        return generate(Request.of(chat, adaptation, sampling).withSink(sink));
    }

    /** Runs one request. */
    public Completion generate(Request request) {
        return generate(List.of(request)).getFirst();
    }

    /**
     * Runs several requests side by side, in one batch; each may have other adapters. What a request gets does not depend on the others.
     *
     * @throws IllegalArgumentException if an adapter does not fit, or a prompt is longer than the model's context
     * @throws IllegalStateException if the model or an adapter is closed
     */
    public List<Completion> generate(List<Request> requests) {
        try (var _ = Use.of(gate, requests.stream().map(Request::adaptation).toList())) {
            requests.forEach(request -> requireFits(request.adaptation()));
            return requests.isEmpty() ? List.of() : new Generation(version.sessions(), text, requests).run();
        }
    }

    private void requireFits(Adaptation adaptation) {
        adaptation.parts().forEach(part -> decoder().requireFits(part.adapter().weights()));
    }

    /**
     * Reads an adapter, a PEFT folder or a GGUF LoRA file, and checks that it fits this model.
     *
     * @throws IllegalArgumentException naming what does not fit
     */
    public Adapter loadAdapter(Path adapter) {
        Adapter loaded = Adapter.load(adapter, config());
        decoder().requireFits(loaded.weights());
        return loaded;
    }

    /**
     * A model whose adapted weights are f32 copies with the adapters added; all others are shared with this one's file. Both may
     * be closed in any order.
     *
     * @throws IllegalArgumentException if an adapter does not fit, there is none, or each token chooses its own
     */
    public LanguageModel merge(Adaptation adaptation) {
        if (adaptation instanceof AdapterRouter) {
            throw new IllegalArgumentException("adapters that each token chooses from cannot be merged; HINT: AdapterMix.average of them can");
        }
        try (var _ = Use.of(gate, List.of(adaptation))) {
            requireFits(adaptation);
            return new LanguageModel(path, text, version.merge(adaptation.entries()));
        }
    }

    /**
     * The model that this one was merged from: the same bits as before.
     *
     * @throws IllegalStateException if this model was not made by {@link #merge}
     */
    public LanguageModel unmerge() {
        try (var _ = new Use(List.of(gate))) {
            Version origin = version.origin();
            if (origin == null) {
                throw new IllegalStateException("this model was not made by merging adapters");
            }
            origin.memory().retain();
            return new LanguageModel(path, text, origin);
        }
    }

    /** The model's tokeniser; borrowed, valid until the model is closed. */
    public Tokenizer tokenizer() {
        try (var _ = new Use(List.of(gate))) {
            return text.tokenizer();
        }
    }

    public DecoderConfig config() {
        return decoder().config();
    }

    /** Where it was loaded from; the name of a model that was not. */
    public Path path() {
        return path;
    }

    public Backend backend() {
        return decoder().backend();
    }

    /** Ids of a conversation as the model reads it, ready for an answer. */
    int[] encode(Chat chat) {
        return text.encode(chat);
    }

    /** The model itself, as training uses it; borrowed, valid until this is closed. */
    public Decoder decoder() {
        return version.decoder();
    }

    /** How conversations are written, if the model says so. */
    public Optional<ChatTemplate> chatTemplate() {
        try (var _ = new Use(List.of(gate))) {
            return text.template();
        }
    }

    Gate gate() {
        return gate;
    }

    @Override
    public void close() {
        gate.close(() -> {
            version.sessions().close();
            version.memory().release();
        });
    }

    /** Memory that several models use; the last one frees it. */
    private static final class SharedMemory {
        private final Runnable close;
        private int users = 1;

        SharedMemory(Runnable close) {
            this.close = close;
        }

        synchronized void retain() {
            users++;
        }

        synchronized void release() {
            if (--users == 0) {
                close.run();
            }
        }
    }
}
