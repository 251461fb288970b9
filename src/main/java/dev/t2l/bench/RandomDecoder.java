package dev.t2l.bench;

import dev.t2l.Adapter;
import dev.t2l.LanguageModel;
import dev.t2l.backend.Backend;
import dev.t2l.model.Decoder;
import dev.t2l.model.DecoderConfig;
import dev.t2l.model.DecoderFile;
import dev.t2l.model.DecoderWeights;
import dev.t2l.model.TensorSource;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** A language model with random weights of a shape and a format, its adapters, and a tokeniser of made-up words. */
public final class RandomDecoder implements AutoCloseable {
    private final Backend backend;
    private final RandomWeights random;
    private final DecoderFile file;
    private final LanguageModel model;
    private final Decoder decoder;

    /** @throws IllegalArgumentException if the shape cannot have such weights */
    public RandomDecoder(String shape, WeightFormat format, Backend backend) {
        DecoderConfig config = DecoderShapes.of(shape);
        String obstacle = format.obstacle(config);
        if (!obstacle.isEmpty()) {
            throw new IllegalArgumentException(shape + ": " + obstacle);
        }
        this.backend = backend;
        random = new RandomWeights(backend);
        try {
            file = DecoderFile.of(config, source(format, config), backend);
        } catch (RuntimeException e) {
            random.close();
            throw e;
        }
        decoder = new Decoder(backend, config, file.weights());
        model = LanguageModel.of(shape, decoder, RandomText.tokenizer(config.vocabulary(), false), () -> {
            file.close();
            random.close();
        });
    }

    private TensorSource source(WeightFormat format, DecoderConfig config) {
        return new TensorSource() {
            @Override
            public Tensor tensor(String name, long... shape) {
                return shape.length == 1 ? random.vector(1 - config.norm().weightOffset(), shape) : random.matrix(format.typeOf(name, config), shape);
            }

            @Override
            public boolean has(String name) {
                return !name.endsWith(".bias");
            }
        };
    }

    public LanguageModel model() {
        return model;
    }

    public Decoder decoder() {
        return decoder;
    }

    /** A random adapter, in the backend's memory; the caller closes it, before this. */
    public Adapter adapter(int rank, List<Projection> targets) {
        DecoderConfig config = decoder.config();
        Map<LoraWeights.Site, LoraWeights.Pair> pairs = new HashMap<>();
        for (int layer = 0; layer < config.layers(); layer++) {
            for (Projection p : targets) {
                pairs.put(new LoraWeights.Site(layer, p), new LoraWeights.Pair(random.matrix(DType.F32, rank, config.in(p)),
                        random.matrix(DType.F32, config.out(p), rank), 1));
            }
        }
        return Adapter.of(new LoraWeights(pairs), backend);
    }

    /** Bytes of all weights that a step of decoding reads, the looked-up rows of the embedding table not counted. */
    public long stepBytes() {
        DecoderWeights w = file.weights();
        return w.output().bytes() + layerTensors(w).mapToLong(Tensor::bytes).sum();
    }

    /** Elements of the layers' matrices: each row of a pass meets them in a product. */
    long layerElements() {
        return layerTensors(file.weights()).filter(t -> t.rank() == 2).mapToLong(Tensor::elements).sum();
    }

    private static Stream<Tensor> layerTensors(DecoderWeights w) {
        return w.layers().stream().flatMap(l -> Stream.concat(l.projections().values().stream().map(p -> p.weight()),
                Stream.of(l.attentionNorm(), l.mlpNorm())));
    }

    @Override
    public void close() {
        model.close();
    }
}
