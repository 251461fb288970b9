package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Noise;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperParameters;
import dev.t2l.hyper.HyperTraining;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Trains a hypernetwork to give a library's adapters from descriptions of their tasks (arXiv 2506.06105, section 3.2).
 *
 * <pre>{@code
 * try (var training = Reconstruction.builder().library(library).backend(backend).embModel("Alibaba-NLP/gte-large-en-v1.5").epochs(1000).build()) {
 *     for (long t = 0; t < training.steps(); t++) {
 *         training.step(t);
 *     }
 *     training.save(Path.of("my-t2l"));
 * }
 * }</pre>
 *
 * <p>A step is a function of the seed, its number, and the state that the step before left: {@link #parameters} and
 * {@link Optimiser#steps}. Not for several threads at once.
 */
public final class Reconstruction implements AutoCloseable {
    /** The file of {@link #save} that holds the descriptions' embeddings: f32 [n, E] by name of task, in the order of the library. */
    public static final String EMBEDDINGS = "task_embeddings.safetensors";

    private final Backend backend;
    private final OracleLibrary library;
    private final Settings settings;
    private final HyperConfig config;
    private final Schedule schedule;
    private final ReconstructionSampler sampler;
    private final Parameters parameters;
    private final HyperTraining network;
    private final ReconstructionLoss loss;
    private final Optimiser optimiser;
    private Memory embeddings;
    private long embeddingsBytes;

    /** The measure of distance. */
    public enum Loss {
        /** Mean absolute difference, as the paper and its code have it. */
        L1,
        /** Mean squared difference. */
        MSE
    }

    /**
     * The rows of a step: one adapter is generated for each.
     *
     * @param tasks        by their number in the library; equal ones one after another
     * @param descriptions of each row, by their number among the task's
     */
    public record Batch(int[] tasks, int[] descriptions) {
        public Batch {
            if (tasks.length == 0 || tasks.length != descriptions.length) {
                throw new IllegalArgumentException("a batch needs one description a row, has " + tasks.length + " tasks and " + descriptions.length + " descriptions");
            }
        }
    }

    /**
     * What a step was like.
     *
     * @param step         its number, from 0
     * @param loss         before the step
     * @param rawError     the same before z-scoring or scaling of the targets, in the adapters' own units
     * @param gradientNorm before clipping
     * @param rate         learning rate
     */
    public record Step(long step, double loss, double rawError, double gradientNorm, double rate) {
    }

    /** How it learns. */
    record Settings(Loss loss, float dropout, Optimiser.Settings optimiser, long seed) {
    }

    Reconstruction(HyperConfig config, Weights start, OracleLibrary library, Settings settings, Schedule schedule, ReconstructionSampler sampler, Backend backend) {
        this.backend = backend;
        this.library = library;
        this.settings = settings;
        this.config = config;
        this.schedule = schedule;
        this.sampler = sampler;
        this.parameters = new Parameters(backend, HyperParameters.of(config).trainableTable());
        parameters.upload(parameters.values(), start);
        this.network = new HyperTraining(config, parameters.values(), parameters.gradients(), start, backend);
        this.loss = new ReconstructionLoss(config, library, settings.loss() == Loss.MSE, backend);
        this.optimiser = new Optimiser(parameters, settings.optimiser());
    }

    /** To say what is to be trained, and how. */
    public static ReconstructionBuilder builder() {
        return new ReconstructionBuilder();
    }

    public HyperConfig config() {
        return config;
    }

    /** Of the whole training. */
    public long steps() {
        return schedule.steps();
    }

    public Schedule schedule() {
        return schedule;
    }

    /** The weights, their gradients and moments. */
    public Parameters parameters() {
        return parameters;
    }

    public Optimiser optimiser() {
        return optimiser;
    }

    /** What steps over {@code rows} descriptions allocate, table by table: four of the first, two adapters more a row. */
    public List<TensorTable> plan(int rows) {
        List<TensorTable> plan = new ArrayList<>(List.of(parameters.table(), PlacedFactors.plan(library, backend), ReconstructionLoss.plan(config)));
        plan.addAll(network.plan(rows));
        return plan;
    }

    /** The rows of step t. */
    public Batch batch(long t) {
        return sampler.batch(t);
    }

    /**
     * Step t, counted from 0, on {@link #batch} of t.
     *
     * @throws TrainingException if the loss or a gradient is no finite number, naming the step, counted from 1 as in metrics, and the tensor; the
     *                           weights are as before then
     */
    public Step step(long t) {
        return step(t, batch(t));
    }

    /** Step t on chosen rows. */
    public Step step(long t, Batch batch) {
        ReconstructionLoss.Value value = backpropagate(t, batch);
        double rate = schedule.rate(t);
        return new Step(t, value.loss(), value.raw(), optimiser.step(rate), rate);
    }

    /** Loss and gradients of a batch, which are added to the parameters'. */
    ReconstructionLoss.Value backpropagate(long t, Batch batch) {
        List<GeneratedLora> adapters = network.forward(upload(batch), settings.dropout(), Noise.seed(settings.seed(), t));
        ReconstructionLoss.Value value = loss.lossAndGradient(adapters, network.gradients(), batch.tasks());
        if (!Double.isFinite(value.loss())) {
            throw new TrainingException("step " + (t + 1) + ": the loss is " + value.loss() + notFinite(adapters) + "; HINT: a lower learning rate, or a longer warm-up");
        }
        network.backward(network.gradients());
        return value;
    }

    /** Which factor of the adapters is to blame, in words; nothing where none is. */
    private String notFinite(List<GeneratedLora> adapters) {
        try (Arena arena = Arena.ofConfined()) {
            for (GeneratedLora adapter : adapters) {
                for (Map.Entry<String, Tensor> factor : adapter.factors().tensors().entrySet()) {
                    for (float value : backend.host(arena, factor.getValue()).toFloats()) {
                        if (!Float.isFinite(value)) {
                            return ", the generated " + factor.getKey() + " is not finite";
                        }
                    }
                }
            }
        }
        return "";
    }

    /**
     * The loss of other descriptions of the library's tasks, without dropout; nothing is learned from it.
     *
     * @param descriptions by task: f32 [n, E] on the host
     * @return the mean over all of them
     */
    public double validate(List<Tensor> descriptions) {
        double sum = 0;
        long count = 0;
        for (int task = 0; task < library.size(); task++) {
            Tensor rows = descriptions.get(task);
            int[] tasks = new int[Math.toIntExact(rows.rows())];
            Arrays.fill(tasks, task);
            List<Tensor> each = IntStream.range(0, tasks.length).mapToObj(rows::get).toList();
            sum += tasks.length * loss.lossAndGradient(network.forward(upload(each), 0, 0), network.gradients(), tasks).loss();
            count += tasks.length;
        }
        return sum / count;
    }

    private Tensor upload(Batch batch) {
        return upload(IntStream.range(0, batch.tasks().length).mapToObj(i -> library.embeddings(batch.tasks()[i]).get(batch.descriptions()[i])).toList());
    }

    private Tensor upload(List<Tensor> rows) {
        int width = config.architecture().embedding();
        int n = rows.size();
        Tensor host = Tensor.ofFloats(new float[Math.multiplyExact(n, width)], n, width);
        for (int i = 0; i < n; i++) {
            MemorySegment.copy(rows.get(i).data(), 0, host.get(i).data(), 0, rows.get(i).bytes());
        }
        if (host.bytes() > embeddingsBytes) {
            closeEmbeddings();
            embeddings = backend.allocate(host.bytes());
            embeddingsBytes = host.bytes();
        }
        Tensor there = Tensor.of(DType.F32, embeddings.segment(), n, width);
        backend.upload(there, host.data());
        return there;
    }

    /**
     * Writes the network as a checkpoint ({@link HyperCheckpoint}), and its descriptions' embeddings beside it ({@link #EMBEDDINGS}); the
     * tasks' names are in its args.yaml, too.
     */
    public void save(Path folder) {
        try (Arena arena = Arena.ofShared()) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            HyperParameters.of(config).table().carve(bytes -> new Memory(arena.allocate(bytes, 64), () -> { })).tensors().forEach(tensors::put);
            if (config.training().zScore()) {
                OracleLibrary.Statistics statistics = library.statistics();
                statistics.mean().forEach((name, mean) -> tensors.put("mean_recon_target." + name, mean));
                statistics.deviation().forEach((name, deviation) -> tensors.put("std_recon_target." + name, deviation));
            }
            tensors.putAll(parameters.download(parameters.values(), arena));
            Map<String, Object> arguments = Map.of("lr", schedule.peak(), "weight_decay", settings.optimiser().weightDecay(),
                    "max_grad_norm", settings.optimiser().clip(), "n_tasks_per_batch", sampler.perBatch(), "n_embs_per_sampled_task", sampler.perTask(),
                    "seed", settings.seed(), "steps", schedule.steps(), "warmup_steps", schedule.warmUp(), "recon_loss", settings.loss().name().toLowerCase(Locale.ROOT));
            try (HyperCheckpoint checkpoint = HyperCheckpoint.of(config, new Weights(tensors, () -> { }), library.adapterConfig(), arguments)) {
                checkpoint.save(folder);
            }
            Map<String, Tensor> descriptions = new LinkedHashMap<>();
            for (int i = 0; i < library.size(); i++) {
                descriptions.put(library.tasks().get(i), library.embeddings(i));
            }
            SafeTensors.write(folder.resolve(EMBEDDINGS), descriptions, Map.of("format", "pt"));
        }
    }

    private void closeEmbeddings() {
        if (embeddings != null) {
            embeddings.close();
        }
    }

    /** Frees all of its memory; harmless when called twice. The backend and the library stay. */
    @Override
    public void close() {
        closeEmbeddings();
        optimiser.close();
        loss.close();
        network.close();
        parameters.close();
    }
}
