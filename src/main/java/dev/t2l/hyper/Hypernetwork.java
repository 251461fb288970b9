package dev.t2l.hyper;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Gate;
import dev.t2l.backend.Placement;
import dev.t2l.hyper.HyperParameters.Parameter;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The Text-to-LoRA hypernetwork (arXiv 2506.06105, section 3): task embeddings in, LoRA adapters out. One class serves the
 * variants L, M, S and L by rank.
 *
 * <p>All modules, descriptions and layers are rows of one batch ({@link HyperRows}). A description's adapter has the same bits
 * whatever else is in the batch. Several threads may generate at once; each call has its own activations. Those of
 * the last call, with the indices in them and its recording, are kept for the next of as many descriptions.
 */
public final class Hypernetwork implements AutoCloseable {
    /** The activations of a call are kept for the next, unless they take a larger part of {@link Backend#idleBytes}. */
    private static final int IDLE_PART = 4;

    private final HyperConfig config;
    private final Backend backend;
    private final Placement placement;
    private final OutputAffine affine;
    private final HyperForward forward;
    private final AtomicReference<HyperPass> idle = new AtomicReference<>();
    private final Gate gate = new Gate("the hypernetwork");

    /**
     * @param weights the tensors of {@link HyperParameters}, on the host, any float type; borrowed, and to outlive this
     * @param backend where the network runs; borrowed
     * @throws IllegalArgumentException if a tensor is missing or has another shape
     */
    public Hypernetwork(HyperConfig config, Weights weights, Backend backend) {
        this.config = config;
        this.backend = backend;
        this.placement = backend.placement();
        try {
            Map<String, Tensor> placed = placed(config, weights, placement);
            this.affine = OutputAffine.of(config, weights, backend);
            this.forward = new HyperForward(config, new Weights(placed, placement::close), affine, backend);
        } catch (RuntimeException | Error e) {
            placement.close();
            throw e;
        }
    }

    private static Map<String, Tensor> placed(HyperConfig config, Weights weights, Placement placement) {
        Map<String, Tensor> placed = new HashMap<>();
        for (Parameter p : HyperParameters.of(config).all().values()) {
            Tensor tensor = weights.get(p.name());
            if (!p.fits(tensor)) {
                throw new IllegalArgumentException("tensor '" + p.name() + "': wanted " + p.shape() + ", found " + tensor);
            }
            if (p.role() == HyperParameters.Role.TRAINABLE) {
                placed.put(p.name(), placement.place(tensor));
            }
        }
        return placed;
    }

    public HyperConfig config() {
        return config;
    }

    /** What one pass over {@code descriptions} allocates beside the adapters, with sizes. */
    public TensorTable activations(int descriptions) {
        return HyperActivations.table(config, HyperRows.of(config, descriptions), false);
    }

    /**
     * Generates an adapter for each task embedding, in one pass.
     *
     * @param embeddings f32 [n, E] on the backend, as the text encoder gives them: L2-normalised, times sqrt(E)
     * @return n adapters in the order of the rows, each to be closed by the caller
     * @throws IllegalArgumentException if the embeddings have another width than the network was trained with
     * @throws IllegalStateException if this is closed
     */
    public List<GeneratedLora> generate(Tensor embeddings) {
        forward.check(embeddings);
        gate.enter();
        try {
            return generate(embeddings, pass(Math.toIntExact(embeddings.rows())));
        } finally {
            gate.leave();
        }
    }

    /**
     * What the network makes of each task embedding before its heads: the output of the last block (mlp3), the mean over modules and layers, and over A and B and
     * ranks where these are rows of their own.
     *
     * @param embeddings as {@link #generate} takes them
     * @return [n][head_in], on the host
     */
    public float[][] headInputs(Tensor embeddings) {
        forward.check(embeddings);
        gate.enter();
        try (var pass = new HyperPass(forward, Math.toIntExact(embeddings.rows()))) {
            pass.run(embeddings);
            return pass.headInputs();
        } finally {
            gate.leave();
        }
    }

    private List<GeneratedLora> generate(Tensor embeddings, HyperPass pass) {
        List<GeneratedLora> adapters = List.of();
        try {
            pass.run(embeddings);
            adapters = pass.adapters();
            backend.await(); // whoever takes the pass next may have another lane
        } catch (RuntimeException | Error e) {
            adapters.forEach(GeneratedLora::close);
            pass.close();
            throw e;
        }
        close(pass.bytes() > backend.idleBytes() / IDLE_PART ? pass : idle.getAndSet(pass));
        return adapters;
    }

    private HyperPass pass(int descriptions) {
        HyperPass kept = idle.getAndSet(null);
        if (kept != null && kept.descriptions() == descriptions) {
            return kept;
        }
        close(kept);
        return new HyperPass(forward, descriptions);
    }

    private static void close(HyperPass pass) {
        if (pass != null) {
            pass.close();
        }
    }

    /** Memory for one task embedding at a time, and the work on it; to be closed before this. */
    public HyperPass pass() {
        return new HyperPass(forward, 1);
    }

    /** Lets running calls end, then frees what this made on the backend; the weights stay their owner's. */
    @Override
    public void close() {
        gate.close(() -> {
            close(idle.getAndSet(null));
            affine.close();
            placement.close();
        });
    }
}
