package dev.t2l.cli;

import dev.t2l.Adapter;
import dev.t2l.LanguageModel;
import dev.t2l.TextEncoder;
import dev.t2l.TextToLora;
import dev.t2l.eval.AdapterSource;
import dev.t2l.eval.Columns;
import dev.t2l.eval.Fingerprint;
import dev.t2l.eval.LoraScale;
import dev.t2l.eval.TaskAdapters;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Collection;
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
    private final Map<String, String> scales;
    private final Map<String, TextEncoder> encoders = new HashMap<>();
    private final Deque<Runnable> opened = new ArrayDeque<>();

    /** An open hypernetwork, and who it is. */
    record Network(TextToLora network, AdapterSource source) {
    }

    /**
     * @param encoder of all hypernetworks; null: each names its own
     * @param scales  formulas of {@link LoraScale}, by the names of those that shall not have their own
     */
    EvalSources(LanguageModel base, SourceOption source, String encoder, Map<String, String> scales) {
        this.base = base;
        this.source = source;
        this.encoder = encoder;
        this.scales = scales;
    }

    private LoraScale scale(String name) {
        return LoraScale.of(scales.getOrDefault(name, LoraScale.OWN.toString()));
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
            Path file = source.resolve(path);
            Adapter adapter = base.loadAdapter(file);
            opened.push(adapter::close);
            found.put(name, AdapterSource.stored(adapter, "lora " + Fingerprint.of(file), scale(name)));
        });
        return found;
    }

    /** Of {@code --t2l}. */
    Map<String, Network> networks(List<String> options) {
        Map<String, Network> found = new LinkedHashMap<>();
        names(options, "t2l").forEach((name, path) -> {
            Path folder = source.resolve(path);
            String named = encoder != null ? encoder : TextToLora.encoderOf(folder).orElse(null);
            TextToLora network = named == null ? TextToLora.load(folder, base) : TextToLora.load(folder, base, encoders.computeIfAbsent(named, this::encoder));
            opened.push(network::close);
            String identity = "t2l " + Fingerprint.of(folder) + (named == null ? "" : " " + Fingerprint.of(source.resolve(named)));
            found.put(name, new Network(network, AdapterSource.generated(network, identity, scale(name))));
        });
        return found;
    }

    /** Of {@code --oracles}, which {@code --scale} calls so. */
    TaskAdapters oracles(List<Path> folders) {
        var adapters = new TaskAdapters(base, folders, scale(Columns.ORACLE));
        opened.push(adapters::close);
        return adapters;
    }

    /** The text encoder of {@code --encoder}, else the first hypernetwork's, else the base model. */
    TextEncoder encoder(Collection<Network> networks) {
        if (encoder != null) {
            return encoders.computeIfAbsent(encoder, this::encoder);
        }
        return networks.stream().findFirst().map(one -> one.network().encoder()).orElseGet(() -> {
            TextEncoder own = TextEncoder.of(base);
            opened.push(own::close);
            return own;
        });
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
