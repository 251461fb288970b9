package dev.t2l.train;

import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperConfig.Architecture;
import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.hyper.HyperConfig.Origin;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.hyper.HyperInit;
import dev.t2l.hyper.HyperParameters;
import dev.t2l.hyper.HyperParameters.Parameter;
import dev.t2l.io.AtomicFile;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.PeftConfig;
import dev.t2l.io.PeftScaling;
import dev.t2l.io.PeftTargets;
import dev.t2l.io.SafeTensors;
import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A hypernetwork as a configuration wants it: its shape, its first weights, and how it is saved.
 *
 * @param start every tensor, on the host
 */
record HyperSetup(TrainingConfig settings, HyperConfig network, Weights start, List<TrainingTask> tasks, TaskEmbeddings embeddings) {
    /** Of a network of which nothing is known but the tasks. */
    static final String EMBEDDINGS = "task_embeddings.safetensors";

    /** For a base model; fine-tuning may begin on top of a multi-task LoRA. */
    static HyperSetup of(TrainingConfig settings, DecoderConfig base, List<TrainingTask> tasks, TaskEmbeddings embeddings) {
        boolean bias = settings.kind() == TrainingConfig.Kind.SFT ? settings.network().offsets().isEmpty() : !settings.reconstruction().zScore();
        TrainingConfig.Adapter adapter = settings.adapter();
        List<Target> targets = adapter.targets().stream().map(p -> new Target(p, base.in(p), base.out(p), bias)).toList();
        return of(settings, new LoraShape(adapter.rank(), adapter.alpha(), adapter.rslora(), base.layers()), targets, tasks, embeddings);
    }

    static HyperSetup of(TrainingConfig settings, LoraShape shape, List<Target> targets, List<TrainingTask> tasks, TaskEmbeddings embeddings) {
        TrainingConfig.Network wanted = settings.network();
        Variant variant = wanted.variant();
        var architecture = new Architecture(variant == Variant.M || variant == Variant.S, variant == Variant.S || variant == Variant.L_BY_RANK, wanted.learnedPositions(),
                wanted.latent(), wanted.headIn(), embeddings.width());
        TrainingConfig.Reconstructing recon = settings.reconstruction();
        var training = settings.kind() == TrainingConfig.Kind.SFT ? HyperConfig.Training.sft()
                : new HyperConfig.Training(HyperConfig.TrainingTask.RECON, recon.zScore(), recon.factorized(), recon.deltaWScaling());
        Optional<String> encoder = settings.models().encoder();
        boolean oneHot = encoder.equals(Optional.of(TrainingConfig.ONE_HOT));
        var origin = new Origin(oneHot ? Optional.empty() : encoder, settings.models().base(), tasks.stream().map(TrainingTask::name).toList(), oneHot);
        var network = new HyperConfig(architecture, shape, targets, training, origin);
        Weights start = HyperInit.weights(network, Purpose.INITIALISATION.seed(settings.seed(), 0));
        var setup = new HyperSetup(settings, network, start, tasks, embeddings);
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

    /** What is trained. */
    TensorTable trainable() {
        var table = new TensorTable();
        HyperParameters.of(network).trainable().forEach(p -> table.add(p.name(), DType.F32, p.shape().stream().mapToLong(Long::longValue).toArray()));
        return table;
    }

    /** Operations of a step's passes through the network, forward and backward: each weight meets each of its rows three times. */
    double flops(int descriptions) {
        double sum = 0;
        for (Parameter p : HyperParameters.of(network).trainable()) {
            double rows = (double) descriptions * network.lora().layers() * (p.name().startsWith("heads.") ? 1 : network.targets().size());
            sum += p.shape().size() < 2 ? 0 : 6.0 * p.elements() * rows;
        }
        return sum;
    }

    /**
     * Writes the network as {@link HyperCheckpoint} reads it, the tasks' embeddings ({@value #EMBEDDINGS}, a tensor a task) and the
     * configuration.
     */
    void save(Path folder, Parameters parameters) {
        var lora = network.lora();
        var peft = new PeftConfig(network.origin().baseModel(), new PeftScaling(lora.rank(), lora.alpha(), lora.useRslora(), Map.of(), Map.of()),
                PeftTargets.ofModules(network.targets().stream().map(t -> t.projection().peftName()).toList()), settings.adapter().dropout(), "CAUSAL_LM");
        try (Arena arena = Arena.ofConfined()) {
            Map<String, Tensor> trained = parameters.download(parameters.values(), arena);
            Map<String, Tensor> all = new LinkedHashMap<>();
            start.tensors().forEach((name, tensor) -> all.put(name, trained.getOrDefault(name, tensor)));
            HyperCheckpoint.write(folder, network, new Weights(all, () -> { }), peft, Map.of("seed", settings.seed(), "lr", settings.optimiser().rate()));
        }
        Map<String, Tensor> rows = new LinkedHashMap<>();
        IntStream.range(0, tasks.size()).forEach(i -> rows.put(tasks.get(i).name(), embeddings.training().get(i)));
        SafeTensors.write(folder.resolve(EMBEDDINGS), rows, Map.of());
        AtomicFile.write(folder.resolve("config.yaml"), RunFolder.yaml(settings.resolved()));
    }
}
