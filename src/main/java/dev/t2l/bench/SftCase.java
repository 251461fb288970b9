package dev.t2l.bench;

import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperInit;
import dev.t2l.hyper.HyperParameters;
import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import dev.t2l.train.FrozenDecoder;
import dev.t2l.train.Optimiser;
import dev.t2l.train.Parameters;
import dev.t2l.train.Regularisation;
import dev.t2l.train.SupervisedFineTuning;
import dev.t2l.train.TrainingBatch;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.IntStream;

/**
 * A step of supervised fine-tuning of a hypernetwork through a frozen base, with the paper's settings: an adapter a sample, every token
 * predicted. Where the weights are bf16, so are kept activations and the products' inputs.
 *
 * @param samples of a step
 * @param tokens  of each
 */
public record SftCase(WeightFormat format, int samples, int tokens) implements Case {
    private static final double RATE = 2.5e-5;
    private static final float SMOOTHING = 0.1f;
    private static final float DROPOUT = 0.05f;
    private static final float NEFTUNE = 5;
    private static final float L2 = 1e-3f;

    /** @throws IllegalArgumentException if a number makes no sense */
    public SftCase {
        Numbers.positive("batch", samples);
        Numbers.positive("tokens", tokens);
    }

    @Override
    public Figure run(Workbench bench) {
        RandomDecoder model = bench.decoder(format);
        Backend backend = bench.backend();
        DecoderConfig base = model.decoder().config();
        HyperConfig network = HyperShape.of(bench.shapes().variant(), bench.shapes().decoder(), base, bench.shapes().encoder().width());
        var settings = new SupervisedFineTuning.Settings(DROPOUT, L2, new Regularisation(SMOOTHING, DROPOUT, NEFTUNE, 0));
        DType kept = format == WeightFormat.BF16 ? DType.BF16 : DType.F32;
        Weights start = HyperInit.weights(network, 1);
        try (var random = new RandomWeights(backend); var decoder = new FrozenDecoder(model.decoder(), kept);
                var parameters = new Parameters(backend, HyperParameters.of(network).trainableTable());
                var optimiser = new Optimiser(parameters, Optimiser.Settings.of(0.01, 1));
                var tuning = new SupervisedFineTuning(network, parameters, start, decoder, optimiser, settings)) {
            parameters.upload(parameters.values(), start);
            Tensor embeddings = backend.place(random.gaussian(samples, bench.shapes().encoder().width()));
            int[] step = {0};
            Samples millis = bench.stopwatch().time(() -> {
                TrainingBatch batch = batch(bench, base.vocabulary());
                return () -> tuning.step(embeddings, List.of(batch), RATE, step[0]++);
            });
            return Figure.of("sft", bench.shapes().decoder(), format.label(), settings(bench, backend.memoryInUse()), millis, (double) samples * tokens, "tokens/s",
                    work(model), bench.roofline());
        }
    }

    private Map<String, Object> settings(Workbench bench, OptionalLong memory) {
        Map<String, Object> settings = Figure.settings("batch", samples, "tokens", tokens, "network", HyperShape.name(bench.shapes().variant()));
        memory.ifPresent(bytes -> settings.put("device MiB", bytes >> 20));
        return settings;
    }

    private TrainingBatch batch(Workbench bench, int vocabulary) {
        return TrainingBatch.of(IntStream.range(0, samples).mapToObj(k -> {
            int[] ids = bench.generator().ints(tokens + 1L, 0, vocabulary).toArray();
            int[] labels = ids.clone();
            labels[0] = TrainingBatch.IGNORED;
            return new TrainingBatch.Sample(ids, labels, k, 1f / samples);
        }).toList());
    }

    /** A frozen weight is read forwards and backwards, and meets every row as often; attention has three times its forward's products in all. */
    private Work work(RandomDecoder model) {
        DecoderConfig c = model.decoder().config();
        double rows = (double) samples * tokens;
        double products = 4 * rows * (model.layerElements() + (double) c.vocabulary() * c.hidden());
        double attention = 6 * rows * (tokens + 1.0) * c.queryWidth() * c.layers();
        return new Work(2 * model.stepBytes(), products + attention);
    }
}
