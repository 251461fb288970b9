package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Noise;
import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Training of one adapter (Hu et al. 2021) on all samples: of one task, the oracle; of all tasks, the multi-task LoRA. It starts as PEFT's do: A
 * uniform in ±1/sqrt(in) (kaiming_uniform with a = sqrt 5), B zero.
 *
 * <p>Owns its parameters, borrows the base. Not thread-safe.
 */
public final class LoraTrainer implements AutoCloseable {
    private static final String PREFIX = "base_model.model.model.";

    private final Owned owned = new Owned();
    private final FrozenDecoder base;
    private final Regularisation regularisation;
    private final Parameters parameters;
    private final Optimiser optimiser;
    private final LoraWeights adapter;
    private final SampleAdapters adapters;

    /**
     * @param shape          rank and scale; its layers are the base's
     * @param projections    on which it acts, in every layer
     * @param regularisation its seed is not used
     * @param seed           of the start: matrix i in PEFT's order by layer and projection draws from {@link Noise#seed}(seed, i)
     */
    public LoraTrainer(FrozenDecoder base, LoraShape shape, Set<Projection> projections, Optimiser.Settings optimiser, Regularisation regularisation, long seed) {
        DecoderConfig config = base.decoder().config();
        if (shape.layers() != config.layers()) {
            throw new IllegalArgumentException("the adapter has " + shape.layers() + " layers, the base " + config.layers());
        }
        this.base = base;
        this.regularisation = regularisation;
        Set<Site> sites = new TreeSet<>();
        for (int l = 0; l < config.layers(); l++) {
            for (Projection p : projections) {
                sites.add(new Site(l, p));
            }
        }
        Backend backend = base.decoder().backend();
        parameters = owned.add(() -> new Parameters(backend, table(config, shape, sites)));
        adapter = views(sites, parameters.values(), shape.scale());
        owned.run(() -> start(backend, seed));
        adapters = owned.add(() -> new SampleAdapters(base.decoder(), List.of(adapter), List.of(views(sites, parameters.gradients(), shape.scale()))));
        this.optimiser = owned.add(() -> new Optimiser(parameters, optimiser));
    }

    private static TensorTable table(DecoderConfig config, LoraShape shape, Set<Site> sites) {
        var table = new TensorTable();
        for (Site site : sites) {
            table.add(name(site, 'A'), DType.F32, shape.rank(), config.in(site.projection()))
                    .add(name(site, 'B'), DType.F32, config.out(site.projection()), shape.rank());
        }
        return table;
    }

    /** As in PEFT's files. */
    private static String name(Site site, char factor) {
        return PREFIX + site + ".lora_" + factor + ".weight";
    }

    private static LoraWeights views(Set<Site> sites, Weights block, float scale) {
        Map<Site, Pair> pairs = new LinkedHashMap<>();
        sites.forEach(site -> pairs.put(site, new Pair(block.get(name(site, 'A')), block.get(name(site, 'B')), scale)));
        return new LoraWeights(pairs);
    }

    private void start(Backend backend, long seed) {
        int i = 0;
        for (Pair pair : adapter.pairs().values()) {
            float[] values = new float[Math.toIntExact(pair.a().elements())];
            float bound = (float) (1 / Math.sqrt(pair.in()));
            long stream = Noise.seed(seed, i++);
            for (int e = 0; e < values.length; e++) {
                values[e] = bound * Noise.uniform(stream, e);
            }
            backend.upload(pair.a(), Tensor.ofFloats(values, pair.a().shape()).data());
        }
    }

    /** What is trained, by PEFT's names, with the optimiser's moments. */
    public Parameters parameters() {
        return parameters;
    }

    public Optimiser optimiser() {
        return optimiser;
    }

    /** The adapter as it is now: views of the parameters' memory. */
    public LoraWeights adapter() {
        return adapter;
    }

    /**
     * One step of the optimiser.
     *
     * @param batches the samples, all of adapter 0, in as many passes as the memory wants; their weights add up to 1
     * @param rate    learning rate
     * @param seed    of everything random in this step: pass i draws from {@link Noise#seed}(seed, 1 + i)
     * @throws TrainingException if the gradient is not finite; the parameters stay as they were
     */
    public StepResult step(List<TrainingBatch> batches, double rate, long seed) {
        double loss = 0;
        for (int i = 0; i < batches.size(); i++) {
            loss += base.step(batches.get(i), adapters, regularisation.seeded(Noise.seed(seed, 1 + i)));
        }
        return new StepResult(loss, 0, optimiser.step(rate));
    }

    /** The loss of samples that are not trained on, with nothing random. */
    public double validate(List<TrainingBatch> batches) {
        double loss = 0;
        for (TrainingBatch batch : batches) {
            loss += base.loss(batch, adapters, regularisation.smoothing());
        }
        return loss;
    }

    /** Frees the parameters, the adapter with them; harmless when called twice. */
    @Override
    public void close() {
        owned.close();
    }
}
