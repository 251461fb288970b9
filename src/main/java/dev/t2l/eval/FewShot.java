package dev.t2l.eval;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Optional;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;

/**
 * Examples that stand before an input, in words of their own.
 *
 * @param text    behind it a blank line, then the input; empty: the input alone
 * @param prefill what an answer begins with, unasked, because of them; empty: what it begins with without them
 */
public record FewShot(String text, String prefill) {
    private static final String FILE = "few-shot.yaml";
    private static final Map<String, String> PUBLISHED = read();

    /** The three examples of the published evaluation of Text-to-LoRA; empty if there are none for this benchmark. */
    static Optional<FewShot> published(Benchmark benchmark) {
        return Optional.ofNullable(PUBLISHED.get(benchmark.key())).map(text -> new FewShot(text, benchmark.metric().beginsWithChoice() ? "Answer:" : ""));
    }

    private static Map<String, String> read() {
        try (InputStream in = FewShot.class.getResourceAsStream(FILE)) {
            return Map.copyOf(new Yaml(new SafeConstructor(new LoaderOptions())).load(in));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The prompt of an input. */
    String before(String input) {
        return text.isEmpty() ? input : text + "\n\n" + input;
    }
}
