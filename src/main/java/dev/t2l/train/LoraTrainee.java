package dev.t2l.train;

import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.PeftConfigs;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.train.PromptFormat.Tokens;
import dev.t2l.train.SampleSource.Held;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.OptionalDouble;

/** An adapter, trained on samples of one task or of many. */
final class LoraTrainee implements Trainee {
    private final Owned owned = new Owned();
    private final TrainingConfig config;
    private final SampleSource samples;
    private final FrozenDecoder base;
    private final LoraTrainer trainer;
    private final BaseWork work;

    /** @param base closed with this, or when this fails */
    LoraTrainee(TrainingConfig config, SampleSource samples, FrozenDecoder base) {
        this.config = config;
        this.samples = samples;
        this.base = owned.add(() -> base);
        this.work = BaseWork.of(base.decoder().config());
        TrainingConfig.Adapter adapter = config.adapter();
        var shape = new LoraShape(adapter.rank(), adapter.alpha(), adapter.rslora(), base.decoder().config().layers());
        this.trainer = owned.add(() -> new LoraTrainer(base, shape, EnumSet.copyOf(adapter.targets()), Settings.optimiser(config), Settings.regularisation(config),
                Purpose.INITIALISATION.seed(config.seed(), 0)));
    }

    @Override
    public Parameters parameters() {
        return trainer.parameters();
    }

    @Override
    public Optimiser optimiser() {
        return trainer.optimiser();
    }

    @Override
    public String plan() {
        return new MemoryPlan().add("frozen base", Settings.bytes(base.decoder())).add(trainer.parameters())
                .add("base's activations, at most", base.plan(samples.mostTokens(), samples.mostPredicted(), 1, EnumSet.copyOf(config.adapter().targets()))).toString();
    }

    @Override
    public Step step(long t, double rate) {
        List<Tokens> tokens = samples.sampler().draws(t).stream().map(samples::tokens).toList();
        StepResult result = trainer.step(samples.passes(tokens, false), rate, Purpose.STEP.seed(config.seed(), t));
        return new Step(result, tokens.stream().mapToLong(s -> s.ids().length).sum(), work.flops(tokens));
    }

    @Override
    public OptionalDouble validate() {
        double sum = 0;
        int count = 0;
        for (List<Held> group : samples.heldOut()) {
            sum += group.size() * trainer.validate(samples.passes(group.stream().map(Held::tokens).toList(), false));
            count += group.size();
        }
        return count == 0 ? OptionalDouble.empty() : OptionalDouble.of(sum / count);
    }

    @Override
    public void save(Path folder) {
        try (Arena arena = Arena.ofConfined()) {
            LoraWeights adapter = trainer.adapter().moved(matrix -> base.decoder().backend().host(arena, matrix));
            PeftAdapter.write(folder, adapter, PeftConfigs.describing(adapter, config.models().base(), config.adapter().rslora()), DType.F32);
        }
        RunFolder.writeConfig(folder, config.resolved());
    }

    @Override
    public void close() {
        owned.close();
    }
}
