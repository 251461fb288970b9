package dev.t2l.train;

import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperConfig.Architecture;
import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.hyper.HyperConfig.Origin;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.hyper.HyperInit;
import dev.t2l.hyper.HyperParameters;
import dev.t2l.hyper.HyperParameters.Parameter;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.PeftConfig;
import dev.t2l.io.PeftScaling;
import dev.t2l.io.PeftTargets;
import dev.t2l.io.SafeTensors;
import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A hypernetwork for fine-tuning as a configuration wants it: its shape, its first weights, and how it is saved.
 *
 * @param start every tensor, on the host
 */
record HyperSetup(TrainingConfig settings, HyperConfig network, Weights start, List<TrainingTask> tasks, SampleEmbeddings embeddings) {
    /** A network for fine-tuning, perhaps on top of a multi-task LoRA. */
    static HyperSetup of(TrainingConfig settings, DecoderConfig base, List<TrainingTask> tasks, SampleEmbeddings embeddings) {
        TrainingConfig.Network wanted = settings.network();
        TrainingConfig.Adapter adapter = settings.adapter();
        Variant variant = wanted.variant();
        var architecture = new Architecture(variant == Variant.M || variant == Variant.S, variant == Variant.S || variant == Variant.L_BY_RANK, wanted.learnedPositions(),
                wanted.latent(), wanted.headIn(), embeddings.width());
        var shape = new LoraShape(adapter.rank(), adapter.alpha(), adapter.rslora(), base.layers());
        List<Target> targets = adapter.targets().stream().map(p -> new Target(p, base.in(p), base.out(p), wanted.offsets().isEmpty())).toList();
        Condition condition = settings.models().condition();
        var origin = new Origin(condition == Condition.ONE_HOT ? Optional.empty() : settings.models().encoder(), settings.models().base(),
                tasks.stream().map(TrainingTask::name).toList(), condition);
        var network = new HyperConfig(architecture, shape, targets, HyperConfig.Training.sft(), origin);
        var setup = new HyperSetup(settings, network, HyperInit.weights(network, Purpose.INITIALISATION.seed(settings.seed(), 0)), tasks, embeddings);
        wanted.offsets().ifPresent(folder -> setup.offset(Path.of(folder)));
        return setup;
    }

    /** Copies a multi-task LoRA to the offsets, to which the network's output is added. */
    private void offset(Path folder) {
        LoraWeights adapter = PeftAdapter.read(folder).weights();
        for (Target t : network.targets()) {
            for (int l = 0; l < network.lora().layers(); l++) {
                Pair pair = adapter.at(l, t.projection());
                if (pair == null || pair.rank() != network.lora().rank() || pair.in() != t.in() || pair.out() != t.out() || pair.scale() != network.lora().scale()) {
                    throw new IllegalArgumentException(folder + " has at layer " + l + ", " + t.projection().peftName() + " " + (pair == null ? "nothing"
                            : "rank " + pair.rank() + ", " + pair.in() + " -> " + pair.out() + ", scale " + pair.scale()) + "; the network makes rank " + network.lora().rank()
                            + ", " + t.in() + " -> " + t.out() + ", scale " + network.lora().scale());
                }
                copy(pair.a(), start.get("AB_offset.A." + t.projection().peftName()), l);
                copy(pair.b(), start.get("AB_offset.B." + t.projection().peftName()), l);
            }
        }
        if (adapter.pairs().size() != network.targets().size() * network.lora().layers()) {
            throw new IllegalArgumentException(folder + " has " + adapter.pairs().size() + " LoRA pairs, the network makes " + network.targets().size() * network.lora().layers());
        }
    }

    private static void copy(Tensor from, Tensor to, int layer) {
        MemorySegment.copy(from.data(), 0, to.data(), layer * from.bytes(), from.bytes());
    }

    /** Operations of a step's passes through the network, forward and backward: each weight meets each of its rows three times. */
    static double flops(HyperConfig network, int descriptions) {
        double sum = 0;
        for (Parameter p : HyperParameters.of(network).trainable()) {
            double rows = (double) descriptions * network.lora().layers() * (p.name().startsWith("heads.") ? 1 : network.targets().size());
            sum += p.shape().size() < 2 ? 0 : 6.0 * p.elements() * rows;
        }
        return sum;
    }

    /**
     * Writes the network as {@link HyperCheckpoint} reads it, the tasks' embeddings, if it reads such ({@link Reconstruction#EMBEDDINGS}),
     * and the configuration.
     */
    void save(Path folder, Parameters parameters) {
        var lora = network.lora();
        var peft = new PeftConfig(network.origin().baseModel(), new PeftScaling(lora.rank(), lora.alpha(), lora.useRslora(), Map.of(), Map.of()),
                PeftTargets.ofModules(network.targets().stream().map(t -> t.projection().peftName()).toList()), settings.adapter().dropout(), "CAUSAL_LM");
        try (Arena arena = Arena.ofConfined()) {
            Map<String, Tensor> trained = parameters.download(parameters.values(), arena);
            Map<String, Tensor> all = new LinkedHashMap<>();
            start.tensors().forEach((name, tensor) -> all.put(name, trained.getOrDefault(name, tensor)));
            try (var checkpoint = HyperCheckpoint.of(network, new Weights(all, () -> { }), peft, arguments())) {
                checkpoint.save(folder);
            }
        }
        Map<String, Tensor> rows = embeddings.kept(tasks);
        if (!rows.isEmpty()) {
            SafeTensors.write(folder.resolve(Reconstruction.EMBEDDINGS), rows, Map.of("format", "pt"));
        }
        RunFolder.writeConfig(folder, settings.resolved());
    }

    private Map<String, Object> arguments() {
        Map<String, Object> arguments = new LinkedHashMap<>();
        arguments.put("seed", settings.seed());
        arguments.put("lr", settings.optimiser().rate());
        arguments.put("weight_decay", settings.optimiser().weightDecay());
        arguments.put("warmup_frac", settings.optimiser().warmup());
        arguments.put("label_smoothing", settings.regularisation().smoothing());
        arguments.put("neftune_noise_alpha", settings.regularisation().neftune());
        arguments.put("l2_reg_generated_w", settings.regularisation().l2());
        arguments.put("n_tasks_per_batch", settings.batch().tasks());
        settings.network().offsets().ifPresent(folder -> arguments.put("mt_lora_path", folder));
        return arguments;
    }
}
