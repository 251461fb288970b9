package dev.t2l.bench;

import dev.t2l.backend.Backend;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.model.LastTokenEmbedder;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;

/** Refuses to time nonsense: what a model computes must be finite, not constant, and depend on its input. */
final class Sanity {
    private Sanity() {
    }

    static void check(RandomDecoder model) {
        Backend backend = model.decoder().backend();
        int width = model.decoder().config().hidden();
        try (Memory memory = backend.allocate(8L * width); var embedder = new LastTokenEmbedder(model.decoder(), () -> { })) {
            Tensor hidden = Tensor.of(DType.F32, memory.segment(), 2, width);
            embedder.embed(new int[][] {{1, 2, 3}, {7, 5, 4}}, hidden);
            check("the language model", backend, hidden);
        }
    }

    static void check(RandomEncoder model, Backend backend, RandomGenerator generator) {
        int width = model.encoder().width();
        try (Memory memory = backend.allocate(8L * width)) {
            Tensor vectors = Tensor.of(DType.F32, memory.segment(), 2, width);
            model.encoder().taskEmbeddings(List.of(model.description(8, generator), model.description(8, generator)), vectors);
            check("the encoder", backend, vectors);
        }
    }

    static void check(RandomHypernetwork model, Backend backend) {
        List<GeneratedLora> adapters = model.network().generate(model.embeddings(2));
        try {
            for (var target : model.config().targets()) {
                check("the hypernetwork", floats(backend, adapters.get(0).a(target.projection())), floats(backend, adapters.get(1).a(target.projection())));
                check("the hypernetwork", floats(backend, adapters.get(0).b(target.projection())), floats(backend, adapters.get(1).b(target.projection())));
            }
        } finally {
            adapters.forEach(GeneratedLora::close);
        }
    }

    private static void check(String who, Backend backend, Tensor two) {
        check(who, floats(backend, two.get(0)), floats(backend, two.get(1)));
    }

    private static float[] floats(Backend backend, Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            return backend.host(arena, tensor).toFloats();
        }
    }

    /**
     * Results for two inputs.
     *
     * @throws IllegalStateException if one is not finite or constant, or they are the same
     */
    static void check(String who, float[] first, float[] second) {
        for (float[] values : List.of(first, second)) {
            float least = Float.POSITIVE_INFINITY;
            float largest = Float.NEGATIVE_INFINITY;
            for (float v : values) {
                if (!Float.isFinite(v)) {
                    throw new IllegalStateException(who + " of random weights computes " + v + "; it is not timed");
                }
                least = Math.min(least, v);
                largest = Math.max(largest, v);
            }
            if (!(least < largest)) {
                throw new IllegalStateException(who + " of random weights computes the constant " + least + "; it is not timed");
            }
        }
        if (Arrays.equals(first, second)) {
            throw new IllegalStateException(who + " of random weights computes the same for two inputs; it is not timed");
        }
    }
}
