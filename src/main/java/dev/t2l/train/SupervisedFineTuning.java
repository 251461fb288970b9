package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Noise;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperTraining;
import dev.t2l.ops.Distance;
import dev.t2l.ops.Fill;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/**
 * Supervised fine-tuning of a hypernetwork (Text-to-LoRA, arXiv 2506.06105, section 3.2): each sample's description becomes an adapter, the
 * language model's loss with it flows through the frozen base into the hypernetwork.
 *
 * <p>Owns the passes' memory; borrows parameters and base. Not thread-safe.
 */
public final class SupervisedFineTuning implements AutoCloseable {

    /**
     * @param dropout        in the hypernetwork
     * @param l2             factor on the sum over modules of mean(A^2) + mean(B^2), means over all adapters of a step
     * @param regularisation of the base's pass; its seed is not used
     */
    public record Settings(float dropout, float l2, Regularisation regularisation) {
    }

    private final Owned owned = new Owned();
    private final Backend backend;
    private final HyperTraining network;
    private final FrozenDecoder base;
    private final Optimiser optimiser;
    private final Settings settings;
    private final Weights scratch;
    private List<GeneratedLora> generated; // whose addresses the tables hold
    private SampleAdapters adapters;

    /**
     * @param parameters the network's trainable tensors, by their published names; on the base's backend
     * @param offsets    the network's {@code AB_offset.*}, on the host, read here
     */
    public SupervisedFineTuning(HyperConfig config, Parameters parameters, Weights offsets, FrozenDecoder base, Optimiser optimiser, Settings settings) {
        this.backend = base.decoder().backend();
        this.network = owned.add(() -> new HyperTraining(config, parameters.values(), parameters.gradients(), offsets, backend));
        this.base = base;
        this.optimiser = optimiser;
        this.settings = settings;
        long layers = config.lora().layers();
        long widest = config.targets().stream().mapToLong(t -> Math.max(t.in(), t.out())).max().orElseThrow();
        this.scratch = owned.add(() -> new TensorTable().add("penalty", DType.F32, 1).add("zeros", DType.F32, layers * config.lora().rank() * widest).carve(backend::allocate));
    }

    /** A whole run, from models and data to the trained folder, in a few lines. */
    public static TrainingBuilder builder() {
        return new TrainingBuilder(TrainingConfig.Kind.SFT);
    }

    /**
     * One step of the optimiser.
     *
     * @param embeddings f32 [S, E] on the backend: the samples' descriptions
     * @param batches    the samples, in as many passes as the memory wants; a sample's adapter is its row of the embeddings, the weights of all
     *                   samples of the step add up to 1
     * @param rate       learning rate
     * @param seed       of everything random in this step: dropout in the network draws from {@link Noise#seed}(seed, 0), pass i from
     *                   Noise.seed(seed, 1 + i)
     * @throws TrainingException if the gradient is not finite; the parameters stay as they were
     */
    public StepResult step(Tensor embeddings, List<TrainingBatch> batches, double rate, long seed) {
        double loss = accumulate(embeddings, batches, seed);
        return new StepResult(loss, penalty(), optimiser.step(rate));
    }

    /** A step up to its gradients, which are added to the parameters'; the language model's loss. */
    double accumulate(Tensor embeddings, List<TrainingBatch> batches, long seed) {
        assign(network.forward(embeddings, settings.dropout(), Noise.seed(seed, 0)));
        penalise();
        double loss = 0;
        for (int i = 0; i < batches.size(); i++) {
            loss += base.step(batches.get(i), adapters, settings.regularisation().seeded(Noise.seed(seed, 1 + i)));
        }
        network.backward(network.gradients());
        return loss;
    }

    /** The loss of samples that are not trained on, as {@link #step} defines it, with nothing random and without penalty. */
    public double validate(Tensor embeddings, List<TrainingBatch> batches) {
        assign(network.forward(embeddings, 0, 0));
        double loss = 0;
        for (TrainingBatch batch : batches) {
            loss += base.loss(batch, adapters, settings.regularisation().smoothing());
        }
        return loss;
    }

    /** The network's adapters have the same memory in every pass over as many descriptions. */
    private void assign(List<GeneratedLora> now) {
        if (now == generated) {
            return;
        }
        if (adapters != null) {
            adapters.close();
            adapters = null;
        }
        adapters = new SampleAdapters(base.decoder(), now.stream().map(GeneratedLora::lora).toList(),
                network.gradients().stream().map(GeneratedLora::lora).toList());
        generated = now;
    }

    /** The penalty, and its gradient in place of what the adapters' gradients held before. */
    private void penalise() {
        Fill.forward(backend, scratch.get("penalty"), 0);
        for (int k = 0; k < generated.size(); k++) {
            List<Tensor> values = new ArrayList<>(generated.get(k).factors().tensors().values());
            List<Tensor> gradients = new ArrayList<>(network.gradients().get(k).factors().tensors().values());
            for (int i = 0; i < values.size(); i++) {
                Tensor value = values.get(i);
                float share = (float) ((double) settings.l2() / generated.size() / value.elements());
                Distance.lossAndGradient(backend, scratch.get("penalty"), gradients.get(i), value, scratch.get("zeros").prefix(value.shape()), share, true);
            }
        }
    }

    private float penalty() {
        try (Arena arena = Arena.ofConfined()) {
            return backend.host(arena, scratch.get("penalty")).getFloat(0);
        }
    }

    /** What the network's passes over so many descriptions allocate. */
    public List<TensorTable> plan(int descriptions) {
        return network.plan(descriptions);
    }

    /** Frees the passes' memory; harmless when called twice. */
    @Override
    public void close() {
        if (adapters != null) {
            adapters.close();
        }
        owned.close();
    }
}
