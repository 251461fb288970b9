package dev.t2l.train;

import dev.t2l.EachBackend;
import dev.t2l.backend.Backend;
import dev.t2l.ops.Fill;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.util.LinkedHashMap;
import java.util.Map;

/** A copy of a host adapter on a backend, and room for its gradients, zero at first. */
record TrainableLora(Backend backend, LoraWeights host, LoraWeights weights, LoraWeights gradients, Weights memory) implements AutoCloseable {

    static TrainableLora of(Backend backend, LoraWeights host) {
        var table = new TensorTable();
        for (String kind : new String[] {"weight.", "gradient."}) {
            host.pairs().forEach((site, pair) -> table.add(kind + site + ".A", DType.F32, pair.a().shape()).add(kind + site + ".B", DType.F32, pair.b().shape()));
        }
        Weights memory = table.carve(backend::allocate);
        var trained = new TrainableLora(backend, host, views(host, memory, "weight."), views(host, memory, "gradient."), memory);
        trained.upload();
        return trained;
    }

    private static LoraWeights views(LoraWeights host, Weights memory, String kind) {
        Map<Site, Pair> pairs = new LinkedHashMap<>();
        host.pairs().forEach((site, pair) -> pairs.put(site, new Pair(memory.get(kind + site + ".A"), memory.get(kind + site + ".B"), pair.scale())));
        return new LoraWeights(pairs);
    }

    /** Brings the host's values to the backend. */
    void upload() {
        host.pairs().forEach((site, pair) -> {
            backend.upload(weights.pairs().get(site).a(), pair.a().data());
            backend.upload(weights.pairs().get(site).b(), pair.b().data());
        });
    }

    /** The gradient of a matrix. */
    float[] gradient(Site site, boolean b) {
        Pair pair = gradients.pairs().get(site);
        return EachBackend.floats(backend, b ? pair.b() : pair.a());
    }

    /** The host's matrix. */
    Tensor matrix(Site site, boolean b) {
        Pair pair = host.pairs().get(site);
        return b ? pair.b() : pair.a();
    }

    void zeroGradients() {
        for (Pair pair : gradients.pairs().values()) {
            Fill.forward(backend, pair.a(), 0);
            Fill.forward(backend, pair.b(), 0);
        }
    }

    @Override
    public void close() {
        memory.close();
    }
}
