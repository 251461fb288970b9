package dev.t2l;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Gate;
import dev.t2l.io.ModelSource;
import dev.t2l.model.Decoder;
import dev.t2l.model.DecoderConfig;
import dev.t2l.model.DecoderFile;
import dev.t2l.model.MergedWeights;
import dev.t2l.text.Tokenizer;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/**
 * A decoder-only language model that generates text, with adapters as arguments of a request.
 *
 * <p>Thread-safe: requests from several threads run at once, each with its own adapters. {@link #close} refuses new requests, lets
 * running ones end, then releases the weights; a second close is harmless. The backend is the caller's and must outlive the model.
 */
public final class LanguageModel implements AutoCloseable {
    private final Path path;
    private final Decoder decoder;
    private final ModelText text;
    private final Shared file;
    private final Runnable own;
    private final Decoder unmerged;
    private final Gate gate;

    private LanguageModel(Path path, Decoder decoder, ModelText text, Shared file, Runnable own, Decoder unmerged) {
        this.path = path;
        this.decoder = decoder;
        this.text = text;
        this.file = file;
        this.own = own;
        this.unmerged = unmerged;
        this.gate = new Gate("the language model " + path);
    }

    /**
     * Opens a Hugging Face folder or a GGUF file. Weights stay in the file, mapped, in its formats.
     *
     * @throws dev.t2l.io.FormatException if a file breaks its format or is of an unsupported architecture
     */
    public static LanguageModel load(Path path, Backend backend) {
        var event = new Events.Load();
        event.begin();
        DecoderFile file = DecoderFile.open(path, backend);
        try {
            ModelText text = ModelText.of(path);
            var model = new LanguageModel(path, new Decoder(backend, file.config(), file.weights()), text, new Shared(() -> {
                file.close();
                text.close();
            }), () -> { }, null);
            event.path = path.toString();
            event.backend = backend.description();
            event.commit();
            return model;
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
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
        try (Use use = new Use(gate, requests)) {
            requests.forEach(request -> requireFits(request.adaptation()));
            return new Generation(decoder, text, requests).run();
        }
    }

    private void requireFits(Adaptation adaptation) {
        adaptation.parts().forEach(part -> decoder.requireFits(part.adapter().weights()));
    }

    /**
     * Reads an adapter, a PEFT folder or a GGUF LoRA file, and checks that it fits this model.
     *
     * @throws IllegalArgumentException naming what does not fit
     */
    public Adapter loadAdapter(Path adapter) {
        Adapter loaded = Adapter.load(adapter, decoder.config());
        decoder.requireFits(loaded.weights());
        return loaded;
    }

    /**
     * A model whose adapted weights are f32 copies with the adapters added; all others are shared with this one's file. Both may
     * be closed in any order.
     *
     * @throws IllegalArgumentException if an adapter does not fit, or there is none
     */
    public LanguageModel merge(Adaptation adaptation) {
        try (Use use = new Use(gate, List.of(Request.raw("", adaptation, Sampling.greedy())))) {
            requireFits(adaptation);
            MergedWeights merged = MergedWeights.of(decoder, adaptation.entries());
            file.retain();
            return new LanguageModel(path, new Decoder(decoder.backend(), decoder.config(), merged.weights()), text, file, merged::close, decoder);
        }
    }

    /**
     * The model that this one was merged from: the same bits as before.
     *
     * @throws IllegalStateException if this model was not made by {@link #merge}
     */
    public LanguageModel unmerge() {
        gate.enter();
        try {
            if (unmerged == null) {
                throw new IllegalStateException("this model was not made by merging adapters");
            }
            file.retain();
            return new LanguageModel(path, unmerged, text, file, () -> { }, null);
        } finally {
            gate.leave();
        }
    }

    /** The model's tokeniser. */
    public Tokenizer tokenizer() {
        return text.tokenizer();
    }

    public DecoderConfig config() {
        return decoder.config();
    }

    /** Where it was loaded from. */
    public Path path() {
        return path;
    }

    public Backend backend() {
        return decoder.backend();
    }

    /** Ids of a conversation as the model reads it, ready for an answer. */
    int[] encode(Chat chat) {
        return text.encode(chat);
    }

    Decoder decoder() {
        return decoder;
    }

    Gate gate() {
        return gate;
    }

    @Override
    public void close() {
        gate.close(() -> {
            own.run();
            file.release();
        });
    }

    /** A file that several models map; the last one closes it. */
    private static final class Shared {
        private final Runnable close;
        private int users = 1;

        Shared(Runnable close) {
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
