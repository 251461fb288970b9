package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperConfig.Condition;
import java.nio.file.Path;
import java.util.OptionalDouble;

/** A hypernetwork that learns to give adapters that are there. */
final class ReconTrainee implements Trainee {
    private final TrainingConfig config;
    private final TaskEmbeddings embeddings;
    private final Reconstruction training;

    ReconTrainee(TrainingConfig config, OracleLibrary library, TaskEmbeddings embeddings, Schedule schedule, Backend backend) {
        TrainingConfig.Network network = config.network();
        TrainingConfig.Reconstructing recon = config.reconstruction();
        ReconstructionBuilder builder = Reconstruction.builder().library(library).backend(backend).variant(network.variant()).learnedPositions(network.learnedPositions())
                .sizes(network.latent(), network.headIn()).zScore(recon.zScore()).loss(recon.squared() ? Reconstruction.Loss.MSE : Reconstruction.Loss.L1)
                .batch(config.batch().tasks(), config.batch().descriptions()).schedule(schedule).optimiser(Settings.optimiser(config)).dropout(network.dropout())
                .seed(config.seed());
        config.models().encoder().ifPresent(builder::embModel);
        if (config.models().condition() == Condition.ONE_HOT) {
            builder.oneHot();
        }
        if (recon.factorized()) {
            builder.factorised();
        } else {
            builder.deltaW(recon.deltaWScaling());
        }
        this.config = config;
        this.embeddings = embeddings;
        this.training = builder.build();
    }

    @Override
    public Parameters parameters() {
        return training.parameters();
    }

    @Override
    public Optimiser optimiser() {
        return training.optimiser();
    }

    @Override
    public String plan() {
        var plan = new MemoryPlan().add(training.parameters());
        training.plan(rows()).stream().skip(1).forEach(table -> plan.add("passes and loss", table));
        long adapter = training.config().targets().stream().mapToLong(t -> 4L * training.config().lora().layers() * training.config().lora().rank() * (t.in() + t.out())).sum();
        return plan.add("generated adapters and their gradients", 2 * adapter * rows()).toString();
    }

    private int rows() {
        return config.batch().tasks() * config.batch().descriptions();
    }

    @Override
    public Step step(long t, double rate) {
        Reconstruction.Batch batch = training.batch(t);
        Reconstruction.Step step = training.step(t, batch);
        return new Step(new StepResult(step.loss(), 0, step.gradientNorm()), 0, HyperSetup.flops(training.config(), batch.tasks().length));
    }

    /** Of descriptions that are not trained on, where tasks have some. */
    @Override
    public OptionalDouble validate() {
        return OptionalDouble.of(training.validate(embeddings.validation()));
    }

    @Override
    public void save(Path folder) {
        training.save(folder);
        RunFolder.writeConfig(folder, config.resolved());
    }

    @Override
    public void close() {
        training.close();
    }
}
