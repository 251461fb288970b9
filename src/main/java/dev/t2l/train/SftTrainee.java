package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperParameters;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import dev.t2l.train.PromptFormat.Tokens;
import dev.t2l.train.SampleSource.Held;
import dev.t2l.train.TaskSampler.Draw;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.OptionalDouble;

/** A hypernetwork that is fine-tuned through the base. */
final class SftTrainee implements Trainee {
    private final Owned owned = new Owned();
    private final HyperSetup setup;
    private final SampleSource samples;
    private final Parameters parameters;
    private final Optimiser optimiser;
    private final FrozenDecoder base;
    private final SupervisedFineTuning tuning;
    private final Backend backend;
    private final Memory embeddings; // of a step's samples
    private final BaseWork work;

    /** @param base closed with this, or when this fails */
    SftTrainee(HyperSetup setup, SampleSource samples, FrozenDecoder base) {
        TrainingConfig config = setup.settings();
        this.backend = base.decoder().backend();
        this.setup = setup;
        this.samples = samples;
        this.base = owned.add(() -> base);
        this.work = BaseWork.of(base.decoder().config());
        this.embeddings = owned.add(() -> backend.allocate(4L * samples.most() * setup.embeddings().width()));
        this.parameters = owned.add(() -> new Parameters(backend, HyperParameters.of(setup.network()).trainableTable()));
        owned.run(() -> parameters.upload(parameters.values(), setup.start()));
        this.optimiser = owned.add(() -> new Optimiser(parameters, Settings.optimiser(config)));
        this.tuning = owned.add(() -> new SupervisedFineTuning(setup.network(), parameters, setup.start(), base, optimiser,
                new SupervisedFineTuning.Settings(config.network().dropout(), (float) config.regularisation().l2(), Settings.regularisation(config))));
    }

    @Override
    public Parameters parameters() {
        return parameters;
    }

    @Override
    public Optimiser optimiser() {
        return optimiser;
    }

    @Override
    public String plan() {
        var plan = new MemoryPlan().add("frozen base", Settings.bytes(base.decoder())).add(parameters);
        tuning.plan(samples.most()).forEach(table -> plan.add("hypernetwork's passes", table));
        long adapters = setup.network().targets().stream().mapToLong(t -> 4L * setup.network().lora().layers() * setup.network().lora().rank() * (t.in() + t.out())).sum();
        return plan.add("generated adapters and their gradients", 2 * adapters * samples.most())
                .add("base's activations, at most", base.plan(samples.mostTokens(), samples.mostPredicted(), samples.most(), EnumSet.copyOf(setup.settings().adapter().targets())))
                .toString();
    }

    @Override
    public Step step(long t, double rate) {
        List<Draw> draws = samples.sampler().draws(t);
        List<Tokens> tokens = draws.stream().map(samples::tokens).toList();
        Tensor read = embeddings(draws.size());
        setup.embeddings().ofDraws(backend, read, draws, tokens);
        StepResult result = tuning.step(read, samples.passes(tokens, true), rate, Purpose.STEP.seed(setup.settings().seed(), t));
        return new Step(result, tokens.stream().mapToLong(s -> s.ids().length).sum(), work.flops(tokens) + HyperSetup.flops(setup.network(), draws.size()));
    }

    @Override
    public OptionalDouble validate() {
        double sum = 0;
        int count = 0;
        for (List<Held> group : samples.heldOut()) {
            Tensor read = embeddings(group.size());
            setup.embeddings().ofHeldOut(backend, read, group);
            sum += group.size() * tuning.validate(read, samples.passes(group.stream().map(Held::tokens).toList(), true));
            count += group.size();
        }
        return count == 0 ? OptionalDouble.empty() : OptionalDouble.of(sum / count);
    }

    private Tensor embeddings(int rows) {
        return Tensor.of(DType.F32, embeddings.segment(), rows, setup.embeddings().width());
    }

    @Override
    public void save(Path folder) {
        setup.save(folder, parameters);
    }

    @Override
    public void close() {
        owned.close();
    }
}
