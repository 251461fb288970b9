package dev.t2l.hyper;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.util.List;

/** A hypernetwork's pass over one task embedding at a time, on memory of its own: work to record. Not thread-safe. */
public final class HyperPass implements AutoCloseable {
    private final Hypernetwork network;
    private final Backend backend;
    private final HyperRows rows;
    private final HyperActivations acts;
    private final GeneratedLora adapter;
    private final Memory memory;
    private final Tensor embedding;

    HyperPass(Hypernetwork network, Backend backend) {
        HyperConfig config = network.config();
        this.network = network;
        this.backend = backend;
        this.rows = HyperRows.of(config, 1);
        this.acts = HyperActivations.allocate(backend, config, rows, false);
        try {
            this.adapter = GeneratedLora.allocate(backend, config);
        } catch (RuntimeException | Error e) {
            acts.close();
            throw e;
        }
        try {
            this.memory = backend.allocate(DType.F32.bytes(config.architecture().embedding()));
        } catch (RuntimeException | Error e) {
            adapter.close();
            acts.close();
            throw e;
        }
        this.embedding = Tensor.of(DType.F32, memory.segment(), 1, config.architecture().embedding());
    }

    /** What {@link #run} reads: f32 [1, E], on the backend. */
    public Tensor embedding() {
        return embedding;
    }

    /** Generates the adapter of {@link #embedding}; nothing but kernels is called. */
    public void run() {
        network.forward(acts, rows, embedding, List.of(adapter));
    }

    /** A copy of what the last {@link #run} made, in memory of its own; the caller closes it. */
    public GeneratedLora copy() {
        GeneratedLora copy = GeneratedLora.allocate(backend, network.config());
        try {
            backend.copy(copy.all(), adapter.all());
            return copy;
        } catch (RuntimeException | Error e) {
            copy.close();
            throw e;
        }
    }

    @Override
    public void close() {
        memory.close();
        adapter.close();
        acts.close();
    }
}
