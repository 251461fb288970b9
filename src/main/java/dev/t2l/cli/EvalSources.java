package dev.t2l.cli;

import dev.t2l.Adapter;
import dev.t2l.LanguageModel;
import dev.t2l.TextEncoder;
import dev.t2l.TextToLora;
import dev.t2l.eval.AdapterSource;
import dev.t2l.eval.Fingerprint;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Hypernetworks and adapters of an evaluation's columns, as options name them; opened once, closed together. */
final class EvalSources implements AutoCloseable {
    private final LanguageModel base;
    private final SourceOption source;
    private final String encoder;
    private final Map<String, TextEncoder> encoders = new HashMap<>();
    private final Deque<Runnable> opened = new ArrayDeque<>();

    /** @param encoder of all hypernetworks; null: each names its own */
    EvalSources(LanguageModel base, SourceOption source, String encoder) {
        this.base = base;
        this.source = source;
        this.encoder = encoder;
    }

    /**
     * {@code NAME=PATH} of options.
     *
     * @param unnamed name of one without; null if each needs one
     */
    static Map<String, String> names(List<String> options, String unnamed) {
        Map<String, String> names = new LinkedHashMap<>();
        for (String option : options) {
            int at = option.indexOf('=');
            if (at < 0 && unnamed == null) {
                throw new IllegalArgumentException("wanted NAME=DIR, found '" + option + "'");
            }
            String name = at < 0 ? unnamed : option.substring(0, at);
            if (!name.matches("[\\w.-]+")) {
                throw new IllegalArgumentException("a name is made of letters, digits and . _ -, found '" + name + "'");
            }
            if (names.put(name, option.substring(at + 1)) != null) {
                throw new IllegalArgumentException("two are called '" + name + "'; HINT: give them names, NAME=DIR");
            }
        }
        return names;
    }

    /** Of {@code --lora}. */
    Map<String, AdapterSource> adapters(List<String> options) {
        Map<String, AdapterSource> found = new LinkedHashMap<>();
        names(options, null).forEach((name, path) -> {
            Path file = Path.of(path);
            Adapter adapter = base.loadAdapter(file);
            opened.push(adapter::close);
            found.put(name, AdapterSource.stored(adapter, "lora " + Fingerprint.of(file)));
        });
        return found;
    }

    /** Of {@code --t2l}. */
    Map<String, AdapterSource> networks(List<String> options) {
        Map<String, AdapterSource> found = new LinkedHashMap<>();
        names(options, "t2l").forEach((name, path) -> {
            Path folder = source.resolve(path);
            String named = encoder != null ? encoder : TextToLora.encoderOf(folder).orElse(null);
            TextToLora network = named == null ? TextToLora.load(folder, base) : TextToLora.load(folder, base, encoders.computeIfAbsent(named, this::encoder));
            opened.push(network::close);
            found.put(name, AdapterSource.generated(network, "t2l " + Fingerprint.of(folder) + (named == null ? "" : " " + Fingerprint.of(source.resolve(named)))));
        });
        return found;
    }

    private TextEncoder encoder(String named) {
        TextEncoder opening = TextEncoder.load(source.resolve(named), base.backend());
        opened.push(opening::close);
        return opening;
    }

    @Override
    public void close() {
        while (!opened.isEmpty()) {
            opened.pop().run();
        }
    }
}
