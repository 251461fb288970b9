package dev.t2l.benchmarks;

import dev.t2l.TextToLora;
import dev.t2l.backend.Backend;
import dev.t2l.backend.JavaBackend;
import dev.t2l.bench.EncoderShape;
import dev.t2l.bench.HyperShape;
import dev.t2l.bench.RandomDecoder;
import dev.t2l.bench.RandomEncoder;
import dev.t2l.bench.RandomHypernetwork;
import dev.t2l.bench.WeightFormat;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.model.DecodeSessions;
import dev.t2l.model.Decoder;
import dev.t2l.model.Generator;
import dev.t2l.model.Sampler;
import dev.t2l.model.Teacher;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.DType;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.SplittableRandom;

/** A language model, a text encoder and a hypernetwork of published shapes, with random weights: the same ones on every backend. */
final class BenchModel implements AutoCloseable {
    /** Larger models are not computed in plain Java. */
    private static final long CHECKED = 1L << 30;
    private static final DType T2L_TYPE = DType.F32;

    private final String shape;
    private final WeightFormat format;
    private final RandomDecoder lm;
    final Backend backend;
    final Decoder decoder;
    final RandomEncoder encoder;
    final RandomHypernetwork hypernetwork;
    final DecodeSessions sessions;
    final TextToLora t2l;

    /**
     * @param shape  of the language model, as for {@link dev.t2l.bench.DecoderShapes}
     * @param format of its weights
     * @param name   as for {@link Backend#open}, or {@code best}
     */
    BenchModel(String shape, String format, String name) {
        this(shape, WeightFormat.of(format), name.equals("best") ? Backend.best() : Backend.open(name));
        System.out.println("# Backend: " + backend.description());
    }

    private BenchModel(String shape, WeightFormat format, Backend backend) {
        this.shape = shape;
        this.format = format;
        this.backend = backend;
        lm = new RandomDecoder(shape, format, backend);
        decoder = lm.decoder();
        sessions = new DecodeSessions(decoder);
        var reader = EncoderShape.beside(shape);
        encoder = new RandomEncoder(reader, T2L_TYPE, backend);
        hypernetwork = new RandomHypernetwork(HyperShape.of(Variant.L, shape, decoder.config(), reader.width()), T2L_TYPE, backend);
        t2l = hypernetwork.textToLora(encoder.encoder());
    }

    /** The same models in plain Java; null, and said, if that would take minutes. */
    BenchModel oracle() {
        if (lm.stepBytes() > CHECKED) {
            System.out.println("# Not checked: plain Java would take minutes at this shape");
            return null;
        }
        return new BenchModel(shape, format, new JavaBackend());
    }

    /** A description of a usual length, the same one every time. */
    String task() {
        return encoder.description(48, new SplittableRandom(3));
    }

    /** A greedy sequence that begins with token 1, then 2, ... */
    Generator.Sequence sequence(int prompt, int maxTokens, List<LoraBatch.Entry> adapters) {
        return new Generator.Sequence(prompt(prompt), adapters, Sampler.greedy(), maxTokens);
    }

    private int[] prompt(int length) {
        int[] ids = new int[length];
        for (int i = 0; i < length; i++) {
            ids[i] = 1 + i % (decoder.config().vocabulary() - 1);
        }
        return ids;
    }

    /** Fails unless plain Java computes nearly the same logits. */
    void check(List<LoraBatch.Entry> adapters) {
        try (BenchModel oracle = oracle(); Arena arena = Arena.ofShared()) {
            if (oracle != null) {
                List<LoraBatch.Entry> there = adapters.stream()
                        .map(e -> new LoraBatch.Entry(e.adapter().moved(matrix -> backend.host(arena, matrix)), e.weight())).toList();
                Bench.check(Teacher.lastLogits(oracle.decoder, prompt(5), there), Teacher.lastLogits(decoder, prompt(5), adapters), 1e-3);
            }
        }
    }

    @Override
    public void close() {
        t2l.close();
        hypernetwork.close();
        encoder.close();
        sessions.close();
        lm.close();
        backend.close();
    }
}
