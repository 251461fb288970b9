package dev.t2l.experiment;

import dev.t2l.Adapter;
import dev.t2l.TextEncoder;
import dev.t2l.TextToLora;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Lane;
import dev.t2l.eval.NearestTask;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.hyper.Hypernetwork;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The geometry of descriptions at three places on their way to adapters. */
final class Spaces {
    private static final int BATCH = 32;

    private Spaces() {
    }

    /**
     * Inner products of what the encoder makes of texts, of what enters the hypernetwork's heads ({@link Hypernetwork#headInputs}), and of the adapters
     * ({@link AdapterGram}), in this order.
     *
     * @param folder  of the network
     * @param network the same, opened
     */
    static List<Gram> of(Path folder, TextToLora network, List<String> texts, Backend backend) {
        float[][] embeddings = NearestTask.vectors(network.encoder(), texts).toArray(float[][]::new);
        return List.of(Gram.of(embeddings), Gram.of(activations(folder, network.encoder(), texts, backend)), adapters(network, texts, backend));
    }

    private static float[][] activations(Path folder, TextEncoder encoder, List<String> texts, Backend backend) {
        List<float[]> all = new ArrayList<>();
        try (HyperCheckpoint checkpoint = HyperCheckpoint.load(folder); Hypernetwork network = checkpoint.network(backend)) {
            for (List<String> batch : batches(texts)) {
                try (Lane _ = backend.lane(); Memory memory = backend.allocate(DType.F32.bytes((long) batch.size() * encoder.width()))) {
                    Tensor embeddings = Tensor.of(DType.F32, memory.segment(), batch.size(), encoder.width());
                    encoder.taskEmbeddings(batch, embeddings);
                    all.addAll(List.of(network.headInputs(embeddings)));
                }
            }
        }
        return all.toArray(float[][]::new);
    }

    private static Gram adapters(TextToLora network, List<String> texts, Backend backend) {
        List<LoraWeights> all = new ArrayList<>();
        try (Arena arena = Arena.ofShared()) {
            for (List<String> batch : batches(texts)) {
                List<Adapter> made = network.generate(batch);
                made.forEach(adapter -> all.add(adapter.weights().moved(matrix -> copy(arena, matrix, backend))));
                made.forEach(Adapter::close);
            }
            return AdapterGram.of(all, backend);
        }
    }

    private static Tensor copy(Arena arena, Tensor matrix, Backend backend) {
        Tensor copy = Tensor.allocate(arena, matrix.dtype(), matrix.shape());
        backend.download(copy.data(), matrix);
        return copy;
    }

    private static List<List<String>> batches(List<String> texts) {
        List<List<String>> batches = new ArrayList<>();
        for (int from = 0; from < texts.size(); from += BATCH) {
            batches.add(texts.subList(from, Math.min(texts.size(), from + BATCH)));
        }
        return batches;
    }
}
