package dev.t2l.bench;

import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperConfig.Architecture;
import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.hyper.HyperConfig.Origin;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperConfig.Training;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.hyper.HyperParameters;
import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Projection;
import java.util.List;
import java.util.Optional;

/** Hypernetworks as published: the variants L, M and S with the widths that the checkpoints for a base model have. */
public final class HyperShape {
    private static final String PREFIX = "t2l-";
    private static final int RANK = 8;

    private HyperShape() {
    }

    /** The names that {@link #variant} knows. */
    public static List<String> names() {
        return List.of("t2l-L", "t2l-M", "t2l-S");
    }

    /** @throws IllegalArgumentException if no shape has that name */
    public static Variant variant(String name) {
        return names().stream().filter(n -> n.equalsIgnoreCase(name)).findFirst().map(n -> Variant.valueOf(n.substring(PREFIX.length())))
                .orElseThrow(() -> new IllegalArgumentException("no hypernetwork's shape is called '" + name + "'; there are " + String.join(", ", names())));
    }

    /** {@code t2l-L}. */
    public static String name(Variant variant) {
        return PREFIX + variant;
    }

    /**
     * Makes adapters of rank 8 for queries and values, alpha 16, rsLoRA.
     *
     * @param base      name and sizes of the language model
     * @param embedding width of the encoder's vectors
     */
    public static HyperConfig of(Variant variant, String base, DecoderConfig model, int embedding) {
        boolean shared = variant == Variant.M || variant == Variant.S;
        boolean byRank = variant == Variant.S || variant == Variant.L_BY_RANK;
        boolean wide = base.equals("llama-3.1-8b") || base.equals("gemma-2-2b");
        boolean tiny = base.equals("tiny");
        var architecture = new Architecture(shared, byRank, byRank, wide ? 512 : tiny ? 32 : 128, wide ? 2048 : tiny ? 64 : 512, embedding);
        var targets = List.of(Projection.Q, Projection.V).stream().map(p -> new Target(p, model.in(p), model.out(p), true)).toList();
        return new HyperConfig(architecture, new LoraShape(RANK, 2 * RANK, true, model.layers()), targets, Training.sft(),
                new Origin(Optional.of("random"), base, List.of(), Condition.DESCRIPTION));
    }

    /** What a pass has to do: the trainable weights read once, the adapters written once; the operations are those of the heads. */
    static Work work(HyperConfig config, DType type, int descriptions) {
        HyperParameters parameters = HyperParameters.of(config);
        Architecture a = config.architecture();
        long rows = (long) descriptions * config.lora().layers() * (a.sharedAbHead() ? 2 : 1) * (a.autoregGen() ? config.lora().rank() : 1);
        long heads = parameters.trainable().stream().filter(p -> p.name().startsWith("heads.") && p.name().endsWith(".weight"))
                .mapToLong(HyperParameters.Parameter::elements).sum();
        long adapter = config.targets().stream().mapToLong(t -> t.in() + t.out()).sum() * config.lora().rank() * config.lora().layers();
        return new Work(type.bytes(parameters.trainableCount()) + DType.F32.bytes(adapter) * descriptions, 2.0 * rows * heads);
    }
}
