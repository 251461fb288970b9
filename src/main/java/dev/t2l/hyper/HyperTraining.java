package dev.t2l.hyper;

import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperParameters.Parameter;
import dev.t2l.ops.Fill;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * A hypernetwork that learns: {@link #forward} keeps what {@link #backward} needs. All in f32.
 *
 * <p>A head's values are the adapters' as they are, plus {@code AB_offset} for supervised fine-tuning; a network that reconstructs
 * z-scored or scaled targets gives z-scored or scaled values here. Without dropout the forward has the bits of {@link Hypernetwork} on host
 * backends. Memory is allocated when the number of descriptions changes, and stays. Not for several threads at once.
 */
public final class HyperTraining implements AutoCloseable {
    private final HyperConfig config;
    private final Backend backend;
    private final OutputAffine affine;
    private final HyperForward forward;
    private final HyperBackward backward;
    private Pass pass;

    /** Memory of passes over so many descriptions, and what the last one was. */
    private record Pass(HyperRows rows, HyperActivations acts, Weights scratch, List<GeneratedLora> adapters, List<GeneratedLora> gradients, Last last)
            implements AutoCloseable {

        static Pass allocate(Backend backend, HyperConfig config, int descriptions) {
            HyperRows rows = HyperRows.of(config, descriptions);
            List<GeneratedLora> loras = new ArrayList<>(); // adapters, then their gradients
            HyperActivations acts = null;
            try {
                for (int i = 0; i < 2 * descriptions; i++) {
                    loras.add(GeneratedLora.allocate(backend, config));
                }
                acts = HyperActivations.allocate(backend, config, rows, true);
                return new Pass(rows, acts, HyperScratch.allocate(backend, config, rows), List.copyOf(loras.subList(0, descriptions)),
                        List.copyOf(loras.subList(descriptions, 2 * descriptions)), null);
            } catch (RuntimeException | Error e) {
                loras.forEach(GeneratedLora::close);
                if (acts != null) {
                    acts.close();
                }
                throw e;
            }
        }

        Pass with(Last now) {
            return new Pass(rows, acts, scratch, adapters, gradients, now);
        }

        @Override
        public void close() {
            acts.close();
            scratch.close();
            adapters.forEach(GeneratedLora::close);
            gradients.forEach(GeneratedLora::close);
        }
    }

    private record Last(Tensor embeddings, HyperDropout dropout) {
    }

    /**
     * Of tensors that others own and that are to outlive this.
     *
     * @param values    f32 on the backend, the trainable tensors of {@link HyperParameters}
     * @param gradients f32 on the backend, of the same names and shapes; added to by {@link #backward}
     * @param offsets   on the host, {@code AB_offset.*}; read here, and only for supervised fine-tuning
     * @throws IllegalArgumentException if a tensor is missing or has another shape
     */
    public HyperTraining(HyperConfig config, Weights values, Weights gradients, Weights offsets, Backend backend) {
        for (Parameter p : HyperParameters.of(config).trainable()) {
            for (Weights weights : List.of(values, gradients)) {
                if (!p.fits(weights.get(p.name()))) {
                    throw new IllegalArgumentException("tensor '" + p.name() + "': wanted " + p.shape() + ", found " + weights.get(p.name()));
                }
            }
        }
        this.config = config;
        this.backend = backend;
        this.affine = OutputAffine.ofTraining(config, offsets, backend);
        this.forward = new HyperForward(config, values, affine, backend);
        this.backward = new HyperBackward(config, values, gradients, affine, backend);
    }

    public HyperConfig config() {
        return config;
    }

    /** What passes over {@code descriptions} allocate beside the adapters and their gradients, with sizes. */
    public List<TensorTable> plan(int descriptions) {
        HyperRows rows = HyperRows.of(config, descriptions);
        return List.of(HyperActivations.table(config, rows, true), HyperScratch.table(config, rows));
    }

    /**
     * One adapter for each embedding.
     *
     * @param embeddings f32 [n, E] on the backend, to be left as they are until {@link #backward}
     * @param dropout    probability, 0 for none
     * @param seed       of the pass: the same one gives the same masks
     * @return n adapters in memory of this, until the next call
     * @throws IllegalArgumentException if the embeddings have another width
     */
    public List<GeneratedLora> forward(Tensor embeddings, float dropout, long seed) {
        forward.check(embeddings);
        int n = Math.toIntExact(embeddings.rows());
        if (pass == null || pass.rows().descriptions() != n) {
            close(pass);
            pass = null;
            pass = Pass.allocate(backend, config, n);
        }
        var masks = new HyperDropout(dropout, seed, true);
        pass = pass.with(new Last(embeddings, masks));
        forward.learned(pass.acts(), masks); // weights that learn change
        Tensor z = forward.body(pass.acts(), embeddings, masks);
        forward.heads(pass.acts(), pass.rows(), z, pass.adapters());
        return pass.adapters();
    }

    /**
     * Where the gradients of the last forward's adapters may be gathered: tensors of the adapters' shapes, in memory of this, until a forward
     * over another number of descriptions. They keep what was written there last.
     */
    public List<GeneratedLora> gradients() {
        return ran().gradients();
    }

    /** Zeroes {@link #gradients}. */
    public void zeroGradients() {
        ran().gradients().forEach(g -> Fill.forward(backend, Tensor.of(DType.F32, g.all().data(), g.all().bytes() / DType.F32.bytes(1)), 0));
    }

    /**
     * Adds the weights' gradients.
     *
     * @param adapters the loss's gradient with respect to each adapter of the last forward
     * @throws IllegalStateException if there was no forward since the last backward
     */
    public void backward(List<GeneratedLora> adapters) {
        Pass of = ran();
        if (adapters.size() != of.rows().descriptions()) {
            throw new IllegalArgumentException("wanted gradients of " + of.rows().descriptions() + " adapters, got " + adapters.size());
        }
        backward.run(of.acts(), of.scratch(), of.rows(), of.last().embeddings(), adapters, of.last().dropout());
        pass = of.with(null);
    }

    private Pass ran() {
        if (pass == null || pass.last() == null) {
            throw new IllegalStateException("gradients of a hypernetwork without a forward pass before");
        }
        return pass;
    }

    private static void close(Pass pass) {
        if (pass != null) {
            pass.close();
        }
    }

    /** Frees the passes' memory; harmless when called twice. */
    @Override
    public void close() {
        close(pass);
        pass = null;
        affine.close();
    }
}
