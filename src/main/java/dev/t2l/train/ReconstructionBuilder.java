package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperConfig.Architecture;
import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.hyper.HyperConfig.Origin;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperConfig.Training;
import dev.t2l.hyper.HyperConfig.TrainingTask;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.hyper.HyperInit;
import dev.t2l.tensor.Weights;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;

/** Says what a {@link Reconstruction} trains, and how. What is not said is as the paper has it; library and backend must be said. */
public final class ReconstructionBuilder {
    private OracleLibrary library;
    private Backend backend;
    private HyperCheckpoint start;
    private Variant variant = Variant.L;
    private boolean learnedPositions = true;
    private int latent = 128;
    private int headIn = 512;
    private Optional<String> embModel = Optional.empty();
    private boolean oneHot;
    private boolean zScore = true;
    private boolean factorized = true;
    private double deltaWScaling = 10_000;
    private Reconstruction.Loss loss = Reconstruction.Loss.L1;
    private int tasksPerBatch = 8;
    private int embeddingsPerTask = 1;
    private long epochs = 1000;
    private double rate = 1e-3;
    private double warmUp = 0.1;
    private Schedule schedule;
    private double weightDecay = 1e-3;
    private double clip = 1;
    private Optimiser.Settings optimiser;
    private float dropout = 0.05f;
    private long seed = 42;

    ReconstructionBuilder() {
    }

    /** The adapters and what describes them. */
    public ReconstructionBuilder library(OracleLibrary library) {
        this.library = library;
        return this;
    }

    /** Where it is trained; stays the caller's. */
    public ReconstructionBuilder backend(Backend backend) {
        this.backend = backend;
        return this;
    }

    /** Goes on from a checkpoint's weights, in place of a fresh network: its sizes, and what its output means, are then taken from there. */
    public ReconstructionBuilder start(HyperCheckpoint checkpoint) {
        this.start = checkpoint;
        return this;
    }

    /** L unless said. */
    public ReconstructionBuilder variant(Variant variant) {
        this.variant = variant;
        return this;
    }

    /** Of variants that generate by rank: learned positions (the default), or rotary ones. */
    public ReconstructionBuilder learnedPositions(boolean learned) {
        this.learnedPositions = learned;
        return this;
    }

    /** Widths of the body (128) and of the heads' input (512). */
    public ReconstructionBuilder sizes(int latent, int headIn) {
        this.latent = latent;
        this.headIn = headIn;
        return this;
    }

    /** The text encoder that embedded the descriptions; the base model itself unless said. */
    public ReconstructionBuilder embModel(String name) {
        this.embModel = Optional.of(name);
        return this;
    }

    /** The library's embeddings are no text's: each is the number of a task, one-hot. */
    public ReconstructionBuilder oneHot() {
        this.oneHot = true;
        return this;
    }

    /** Whether targets are z-scored over the library; true unless said. Means something for factorised targets only. */
    public ReconstructionBuilder zScore(boolean zScore) {
        this.zScore = zScore;
        return this;
    }

    /** Targets are A and B themselves. So it is unless said. */
    public ReconstructionBuilder factorised() {
        this.factorized = true;
        return this;
    }

    /** Targets are the products B A, times {@code scaling} (10,000 as published). */
    public ReconstructionBuilder deltaW(double scaling) {
        this.factorized = false;
        this.deltaWScaling = scaling;
        return this;
    }

    /** L1 unless said. */
    public ReconstructionBuilder loss(Reconstruction.Loss loss) {
        this.loss = loss;
        return this;
    }

    /** Tasks a step (8), and descriptions of each (1; 0 for all). */
    public ReconstructionBuilder batch(int tasks, int descriptions) {
        this.tasksPerBatch = tasks;
        this.embeddingsPerTask = descriptions;
        return this;
    }

    /** How often each task is seen; 1000 unless said. */
    public ReconstructionBuilder epochs(long epochs) {
        this.epochs = epochs;
        return this;
    }

    /** Highest learning rate (1e-3), and the share of steps in which it is reached (0.1). */
    public ReconstructionBuilder rate(double rate, double warmUp) {
        this.rate = rate;
        this.warmUp = warmUp;
        return this;
    }

    /** Steps and rates, in place of {@link #epochs} and {@link #rate}. */
    public ReconstructionBuilder schedule(Schedule schedule) {
        this.schedule = schedule;
        return this;
    }

    /** AdamW's weight decay (1e-3), and the largest norm of the gradients (1). */
    public ReconstructionBuilder regularisation(double weightDecay, double clip) {
        this.weightDecay = weightDecay;
        this.clip = clip;
        return this;
    }

    /** All of AdamW's numbers, in place of weight decay and clipping alone. */
    public ReconstructionBuilder optimiser(Optimiser.Settings settings) {
        this.optimiser = settings;
        return this;
    }

    /** In the hypernetwork; 0.05 unless said. */
    public ReconstructionBuilder dropout(double p) {
        this.dropout = (float) p;
        return this;
    }

    /** Of the fresh weights, the batches and the dropout. */
    public ReconstructionBuilder seed(long seed) {
        this.seed = seed;
        return this;
    }

    /**
     * @throws NullPointerException if there is no library or no backend
     * @throws IllegalArgumentException if a value is out of range, or a checkpoint to start from does not fit the library
     */
    public Reconstruction build() {
        Objects.requireNonNull(library, "a reconstruction needs a library of adapters");
        Objects.requireNonNull(backend, "a reconstruction needs a backend");
        HyperConfig config = start == null ? fresh() : continued(start.config());
        Weights weights = start == null ? HyperInit.weights(config, seed) : start.weights();
        List<Integer> descriptions = IntStream.range(0, library.size()).mapToObj(i -> Math.toIntExact(library.embeddings(i).rows())).toList();
        var sampler = new ReconstructionSampler(descriptions, tasksPerBatch, embeddingsPerTask, seed);
        Schedule rates = schedule != null ? schedule : Schedule.ofFraction(rate, warmUp, Math.multiplyExact(epochs, sampler.stepsPerEpoch()));
        var settings = new Reconstruction.Settings(loss, dropout, optimiser != null ? optimiser : Optimiser.Settings.of(weightDecay, clip), seed);
        return new Reconstruction(config, weights, library, settings, rates, sampler, backend);
    }

    /** Heads have a bias unless targets are z-scored, whose mean is 0. */
    private HyperConfig fresh() {
        boolean shared = variant == Variant.M || variant == Variant.S;
        boolean byRank = variant == Variant.S || variant == Variant.L_BY_RANK;
        var architecture = new Architecture(shared, byRank, byRank && learnedPositions, latent, headIn, Math.toIntExact(library.embeddings(0).cols()));
        List<Target> targets = library.targets().stream().map(t -> new Target(t.projection(), t.in(), t.out(), !zScore)).toList();
        return new HyperConfig(architecture, library.shape(), targets, new Training(TrainingTask.RECON, zScore, factorized, deltaWScaling), origin());
    }

    private Origin origin() {
        return new Origin(oneHot ? Optional.empty() : embModel, Objects.requireNonNullElse(library.adapterConfig().baseModel(), ""), library.tasks(),
                oneHot ? Condition.ONE_HOT : Condition.DESCRIPTION);
    }

    private HyperConfig continued(HyperConfig config) {
        var modules = new HashSet<>(config.targets().stream().map(t -> new Target(t.projection(), t.in(), t.out(), false)).toList());
        long width = library.embeddings(0).cols();
        if (config.training().task() != TrainingTask.RECON || !modules.equals(new HashSet<>(library.targets())) || !config.lora().equals(library.shape())
                || config.architecture().embedding() != width) {
            throw new IllegalArgumentException("a network for reconstruction of " + library.shape() + " at " + library.targets() + " from embeddings of width "
                    + width + " was wanted, found " + config);
        }
        var origin = new Origin(config.origin().embModel(), config.origin().baseModel(), library.tasks(), config.origin().condition());
        return new HyperConfig(config.architecture(), config.lora(), config.targets(), config.training(), origin);
    }
}
