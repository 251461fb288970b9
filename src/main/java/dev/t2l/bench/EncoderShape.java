package dev.t2l.bench;

import dev.t2l.backend.Activation;
import dev.t2l.backend.Backend;
import dev.t2l.model.BertConfig;
import dev.t2l.model.Encoder;
import dev.t2l.model.GteConfig;
import dev.t2l.model.Pooling;
import dev.t2l.model.TensorSource;
import java.util.List;

/**
 * Text encoders by name, with the sizes in their published config.json.
 *
 * @param matrices elements of all weights that a token meets in a product, the word table not counted
 */
public record EncoderShape(String name, int width, int layers, int vocabulary, long matrices, Pooling pooling, Maker maker) {
    /** Makes an encoder of this shape. */
    public interface Maker {
        /** The caller closes it. */
        Encoder make(TensorSource source, Backend backend);
    }

    /** The names that {@link #of} knows. */
    public static List<String> names() {
        return List.of("tiny", "minilm", "gte-large");
    }

    /** @throws IllegalArgumentException if no shape has that name */
    public static EncoderShape of(String name) {
        return switch (name) {
            case "tiny" -> gte(name, new GteConfig(64, 2, 2, 128, 512, 0, 1e-12f, Activation.GELU, DecoderShapes.frequencies(32, 10_000)));
            case "minilm" -> bert(name, new BertConfig(384, 6, 12, 1536, 30522, 512, 2, 1e-12f, Activation.GELU));
            case "gte-large" -> gte(name, new GteConfig(1024, 24, 16, 4096, 30528, 2, 1e-12f, Activation.GELU, DecoderShapes.frequencies(64, 160_000)));
            default -> throw new IllegalArgumentException("no encoder's shape is called '" + name + "'; there are " + String.join(", ", names()));
        };
    }

    /** The encoder that usually goes with a language model's shape. */
    public static EncoderShape beside(String decoder) {
        return of(switch (decoder) {
            case "tiny" -> "tiny";
            case "smollm2" -> "minilm";
            default -> "gte-large";
        });
    }

    private static EncoderShape gte(String name, GteConfig c) {
        long layer = 4L * c.hidden() * c.hidden() + 3L * c.hidden() * c.intermediate();
        return new EncoderShape(name, c.hidden(), c.layers(), c.vocabulary(), c.layers() * layer, Pooling.CLS, (source, backend) -> Encoder.of(c, source, backend));
    }

    private static EncoderShape bert(String name, BertConfig c) {
        long layer = 4L * c.hidden() * c.hidden() + 2L * c.hidden() * c.intermediate();
        return new EncoderShape(name, c.hidden(), c.layers(), c.vocabulary(), c.layers() * layer, Pooling.MEAN, (source, backend) -> Encoder.of(c, source, backend));
    }

    /** Operations for so many texts of so many tokens each: products and attention. */
    public double flops(int texts, int tokens) {
        return 2.0 * texts * tokens * matrices + 4.0 * texts * tokens * tokens * width * layers;
    }
}
