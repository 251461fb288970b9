package dev.t2l;

import dev.t2l.io.PeftConfigs;
import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/** A tiny Llama with a tokeniser and a hypernetwork for it, in this repository; and adapters with random matrices. */
public final class Tiny {
    /** A hypernetwork whose encoder is its base model. */
    public static final Path T2L = Path.of("src/test/golden/end_to_end/base_llm");
    /** That model, without chat template. */
    public static final Path BASE = T2L.resolve("base");
    /** Another hypernetwork; its encoder is {@code gte-tiny} beside it. */
    public static final Path GTE_T2L = Path.of("src/test/golden/end_to_end/gte");
    /** A Gemma-2 without tokeniser. */
    public static final Path GEMMA = Path.of("src/test/golden/decoders/gemma2/model");

    private Tiny() {
    }

    /** An adapter on every layer and projection, strong enough to change the text. */
    public static Adapter adapter(DecoderConfig config, int rank, long seed) {
        var random = new SplittableRandom(seed);
        Map<LoraWeights.Site, LoraWeights.Pair> pairs = new HashMap<>();
        for (int layer = 0; layer < config.layers(); layer++) {
            for (Projection projection : Projection.values()) {
                pairs.put(new LoraWeights.Site(layer, projection),
                        new LoraWeights.Pair(normal(random, rank, config.in(projection)), normal(random, config.out(projection), rank), 0.02f));
            }
        }
        var weights = new LoraWeights(pairs);
        return new Adapter(weights, PeftConfigs.describing(weights, null, false), Optional.empty(), Optional.empty(), () -> { });
    }

    private static Tensor normal(SplittableRandom random, long rows, long cols) {
        float[] values = new float[(int) (rows * cols)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Tensor.ofFloats(values, rows, cols);
    }

    /** {@link #BASE} with a chat template, in {@code folder}. */
    public static Path withChatTemplate(Path folder) throws IOException {
        copy(BASE, folder);
        Files.writeString(folder.resolve("chat_template.jinja"),
                "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}");
        return folder;
    }

    /** Copies a folder of files. */
    public static Path copy(Path from, Path to) throws IOException {
        Files.createDirectories(to);
        try (Stream<Path> files = Files.list(from)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.copy(file, to.resolve(file.getFileName()));
            }
        }
        return to;
    }
}
