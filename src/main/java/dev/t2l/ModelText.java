package dev.t2l;

import dev.t2l.io.Gguf;
import dev.t2l.text.ChatTemplate;
import dev.t2l.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/** A model's side of text: its tokeniser, its chat template, its end tokens. Read when first needed. Thread-safe. */
final class ModelText {
    private final Supplier<Loaded> loader;
    private Loaded loaded;
    private boolean closed;

    private record Loaded(Tokenizer tokenizer, Optional<ChatTemplate> template) {
    }

    private ModelText(Supplier<Loaded> loader) {
        this.loader = loader;
    }

    static ModelText of(Path model) {
        return new ModelText(() -> Files.isDirectory(model) ? folder(model) : gguf(model));
    }

    /** A tokeniser that is there already, taken over, without chat template. */
    static ModelText of(Tokenizer tokenizer) {
        var text = new ModelText(() -> new Loaded(tokenizer, Optional.empty()));
        text.loaded();
        return text;
    }

    private static Loaded folder(Path folder) {
        return new Loaded(Tokenizer.load(folder), ChatTemplate.load(folder));
    }

    private static Loaded gguf(Path path) {
        try (Gguf file = Gguf.open(path)) {
            return new Loaded(Tokenizer.of(file), ChatTemplate.of(file));
        }
    }

    private synchronized Loaded loaded() {
        if (closed) {
            throw new IllegalStateException("the language model is closed");
        }
        if (loaded == null) {
            loaded = loader.get();
        }
        return loaded;
    }

    Tokenizer tokenizer() {
        return loaded().tokenizer();
    }

    Optional<ChatTemplate> template() {
        return loaded().template();
    }

    /** Tokens that end a generation. */
    Set<Integer> endIds() {
        return tokenizer().endOfGenerationIds();
    }

    /** Plain text, with the model's beginning-of-sequence token where it wants one. */
    int[] encode(String prompt) {
        return tokenizer().encode(prompt, true, true);
    }

    /** A conversation, ready for the assistant's answer. Control tokens that a message spells out stay text. */
    int[] encode(Chat chat) {
        ChatTemplate template = loaded().template().orElseThrow(() -> new IllegalStateException(
                "the model has no chat template; HINT: continue plain text instead (Request.raw, t2l run --raw)"));
        return tokenizer().encode(template.render(chat.messages(), ChatTemplate.Options.of(tokenizer(), true)), false);
    }

    synchronized void close() {
        closed = true;
        if (loaded != null) {
            loaded.tokenizer().close();
        }
    }
}
