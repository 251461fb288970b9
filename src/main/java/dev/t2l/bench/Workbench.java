package dev.t2l.bench;

import dev.t2l.TextToLora;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Roofline;
import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.DType;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/**
 * What the cases of one run share: the backend, its ceilings, and models with random weights, made when they are first needed. One language
 * model is held at a time.
 */
public final class Workbench implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger("dev.t2l.bench");
    /** Seed of texts. */
    private static final long SEED = 7;

    /**
     * Whose sizes the models have.
     *
     * @param decoder name of a language model's shape
     * @param t2lType of the encoder's and the hypernetwork's matrices: F32, F16 or BF16
     */
    public record Shapes(String decoder, EncoderShape encoder, Variant variant, DType t2lType) {
        DecoderConfig config() {
            return DecoderShapes.of(decoder);
        }
    }

    private final Backend backend;
    private final Shapes shapes;
    private final Stopwatch stopwatch;
    private final RandomGenerator generator = new SplittableRandom(SEED);
    private final Eviction eviction;
    private Roofline roofline;
    private WeightFormat format;
    private RandomDecoder decoder;
    private RandomEncoder encoder;
    private RandomHypernetwork hypernetwork;
    private TextToLora textToLora;

    /** @param backend borrowed */
    public Workbench(Backend backend, Shapes shapes, Stopwatch stopwatch) {
        this.backend = backend;
        this.shapes = shapes;
        this.stopwatch = stopwatch;
        this.eviction = new Eviction(backend);
    }

    Backend backend() {
        return backend;
    }

    public Shapes shapes() {
        return shapes;
    }

    Stopwatch stopwatch() {
        return stopwatch;
    }

    RandomGenerator generator() {
        return generator;
    }

    /** What the machine reaches, measured at the first call. */
    public Roofline roofline() {
        if (roofline == null) {
            roofline = Roofline.measure(backend);
        }
        return roofline;
    }

    /** Empties the caches of what a model of so many bytes left there, unless it is too large to stay in them. */
    Runnable cold(long bytes) {
        return eviction.before(bytes);
    }

    RandomDecoder decoder(WeightFormat wanted) {
        if (wanted != format) {
            if (decoder != null) {
                format = null;
                decoder.close();
                decoder = null;
            }
            long start = System.nanoTime();
            decoder = checked(new RandomDecoder(shapes.decoder(), wanted, backend), Sanity::check);
            format = wanted;
            tell(shapes.decoder() + " in " + wanted.label(), decoder.stepBytes(), start);
        }
        return decoder;
    }

    RandomEncoder encoder() {
        if (encoder == null) {
            long start = System.nanoTime();
            encoder = checked(new RandomEncoder(shapes.encoder(), shapes.t2lType(), backend), made -> Sanity.check(made, backend, generator));
            tell(shapes.encoder().name(), encoderWork(1, 1).bytes(), start);
        }
        return encoder;
    }

    RandomHypernetwork hypernetwork() {
        if (hypernetwork == null) {
            long start = System.nanoTime();
            HyperConfig config = HyperShape.of(shapes.variant(), shapes.decoder(), shapes.config(), shapes.encoder().width());
            hypernetwork = checked(new RandomHypernetwork(config, shapes.t2lType(), backend), made -> Sanity.check(made, backend));
            tell(HyperShape.name(shapes.variant()) + " for " + shapes.decoder(), hyperWork(1).bytes(), start);
        }
        return hypernetwork;
    }

    /** The whole way from text to adapters for the shape of the language model. */
    TextToLora textToLora() {
        if (textToLora == null) {
            textToLora = hypernetwork().textToLora(encoder().encoder());
        }
        return textToLora;
    }

    private static <M extends AutoCloseable> M checked(M made, Consumer<M> check) {
        try {
            check.accept(made);
            return made;
        } catch (RuntimeException e) {
            try {
                made.close();
            } catch (Exception closing) {
                e.addSuppressed(closing);
            }
            throw e;
        }
    }

    private static void tell(String what, long bytes, long start) {
        LOG.log(System.Logger.Level.INFO, String.format(Locale.ROOT, "random weights: %s, %.0f MiB, in %.1f s", what, bytes / 1048576.0, (System.nanoTime() - start) * 1e-9));
    }

    /** A new description of so many tokens. */
    synchronized String description(int tokens) {
        return encoder().description(tokens, generator);
    }

    /** A new prompt of so many tokens. */
    synchronized String prompt(int tokens) {
        return RandomText.words(decoder.model().tokenizer(), tokens, generator);
    }

    /** Type of the encoder's and the hypernetwork's matrices: {@code bf16}. */
    String t2lWeights() {
        return shapes.t2lType().name().toLowerCase(Locale.ROOT);
    }

    Work encoderWork(int texts, int tokens) {
        EncoderShape e = shapes.encoder();
        return new Work(shapes.t2lType().bytes(e.matrices()), e.flops(texts, tokens));
    }

    Work hyperWork(int descriptions) {
        return HyperShape.work(hypernetwork().config(), shapes.t2lType(), descriptions);
    }

    @Override
    public void close() {
        if (textToLora != null) {
            textToLora.close();
        }
        if (hypernetwork != null) {
            hypernetwork.close();
        }
        if (encoder != null) {
            encoder.close();
        }
        if (decoder != null) {
            decoder.close();
        }
        eviction.close();
    }
}
