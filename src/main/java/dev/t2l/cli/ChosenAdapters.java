package dev.t2l.cli;

import dev.t2l.Adaptation;
import dev.t2l.Adapter;
import dev.t2l.AdapterMix;
import dev.t2l.AdapterRouter;
import dev.t2l.LanguageModel;
import dev.t2l.TextEncoder;
import dev.t2l.TextToLora;
import dev.t2l.hyper.HyperConfig.Condition;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleConsumer;
import java.util.function.Supplier;

/** What a command line adds to a language model: adapters from disk, one from a sentence, or a new one for each prompt; added, or for tokens to choose from. Owns them all. */
final class ChosenAdapters implements AutoCloseable {
    private final LanguageModel lm;
    private final DoubleConsumer millis;
    private final List<AdapterMix.Part> parts = new ArrayList<>();
    private TextEncoder encoder; // null if the base model reads
    private TextToLora t2l;
    private ArrowOptions arrow; // null: adapters are added
    private Adapter ofPrompt;
    private AdapterRouter router;

    /** @param millis told how long each adapter took that was generated */
    ChosenAdapters(LanguageModel lm, DoubleConsumer millis) {
        this.lm = lm;
        this.millis = millis;
    }

    void load(AdapterArgument adapter) {
        parts.add(new AdapterMix.Part(lm.loadAdapter(adapter.path()), adapter.scale()));
    }

    /**
     * Opens a hypernetwork.
     *
     * @param named its encoder; null for the one that it names
     * @return what it reads: {@link #describe} is for descriptions, with inputs an adapter is made for each prompt
     */
    Condition open(Path folder, String named, SourceOption source) {
        String wanted = named != null ? named : TextToLora.encoderOf(folder).orElse(null);
        encoder = wanted == null ? null : TextEncoder.load(source.resolve(wanted), lm.backend());
        t2l = encoder == null ? TextToLora.load(folder, lm) : TextToLora.load(folder, lm, encoder);
        return t2l.config().origin().condition();
    }

    /** Adds the adapter of a description. */
    void describe(String description) {
        parts.add(new AdapterMix.Part(generated(() -> t2l.generate(description)), 1));
    }

    /** Has each token choose among the adapters. */
    void route(ArrowOptions how) {
        arrow = how;
    }

    /** What acts on a prompt, until the next one. */
    Adaptation forPrompt(String prompt) {
        List<AdapterMix.Part> now = new ArrayList<>(parts);
        if (t2l != null && t2l.config().origin().condition() == Condition.INPUT) {
            forgetPrompt();
            ofPrompt = generated(() -> t2l.generateForInput(prompt));
            now.add(new AdapterMix.Part(ofPrompt, 1));
        }
        if (arrow == null) {
            return AdapterMix.of(now.toArray(AdapterMix.Part[]::new));
        }
        if (router == null) {
            router = arrow.router(now, lm.backend());
        }
        return router;
    }

    private Adapter generated(Supplier<Adapter> work) {
        long start = System.nanoTime();
        Adapter adapter = work.get();
        millis.accept((System.nanoTime() - start) * 1e-6);
        return adapter;
    }

    private void forgetPrompt() {
        if (ofPrompt != null) {
            closeRouter();
            ofPrompt.close();
            ofPrompt = null;
        }
    }

    private void closeRouter() {
        if (router != null) {
            router.close();
            router = null;
        }
    }

    @Override
    public void close() {
        closeRouter();
        forgetPrompt();
        parts.forEach(part -> part.adapter().close());
        if (t2l != null) {
            t2l.close();
        }
        if (encoder != null) {
            encoder.close();
        }
    }
}
