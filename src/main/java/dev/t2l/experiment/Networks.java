package dev.t2l.experiment;

import dev.t2l.LanguageModel;
import dev.t2l.TextEncoder;
import dev.t2l.TextToLora;
import dev.t2l.eval.AdapterSource;
import dev.t2l.eval.Fingerprint;
import dev.t2l.eval.LoraScale;
import dev.t2l.io.ModelSource;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** Open encoders and hypernetworks, each opened once, closed together. */
final class Networks implements AutoCloseable {
    private final LanguageModel base;
    private final Map<Optional<String>, TextEncoder> encoders = new HashMap<>();
    private final Map<Path, TextToLora> networks = new HashMap<>();
    private final Deque<Runnable> opened = new ArrayDeque<>();

    Networks(LanguageModel base) {
        this.base = base;
    }

    /** @param named empty: the base model, by its last token */
    TextEncoder encoder(Optional<String> named) {
        return encoders.computeIfAbsent(named, name -> opened(name
                .map(model -> TextEncoder.load(ModelSource.resolve(model), base.backend())).orElseGet(() -> TextEncoder.of(base))));
    }

    /**
     * A network that reads texts.
     *
     * @param encoder empty: the base model
     */
    TextToLora network(Path folder, Optional<String> encoder) {
        return networks.computeIfAbsent(folder, one -> opened(TextToLora.load(one, base, encoder(encoder))));
    }

    AdapterSource source(Path folder, Optional<String> named) {
        TextToLora network = network(folder, named);
        String encoder = named.map(model -> " " + Fingerprint.of(ModelSource.resolve(model))).orElse("");
        return AdapterSource.generated(network, "t2l " + Fingerprint.of(folder) + encoder, LoraScale.OWN);
    }

    /** A network that reads tasks' numbers; texts of the source are tasks' names. */
    NumberedTasks numbered(Path folder) {
        return opened(new NumberedTasks(folder, base.backend()));
    }

    <T extends AutoCloseable> T opened(T one) {
        opened.push(() -> {
            try {
                one.close();
            } catch (RuntimeException e) {
                throw e;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        return one;
    }

    @Override
    public void close() {
        while (!opened.isEmpty()) {
            opened.pop().run();
        }
    }
}
