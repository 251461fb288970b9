package dev.t2l.hyper;

import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Every tensor of a hypernetwork by its published name, in the order of the published state dict. The same table serves the
 * forward pass, checkpoints and counts.
 */
public final class HyperParameters {
    /** What a tensor is for. */
    public enum Role {
        /** Learned. */
        TRAINABLE,
        /** Added to the output: the multi-task LoRA that training started from. */
        OFFSET,
        /** Mean or standard deviation of the reconstruction targets. */
        STATISTIC
    }

    /** What a fresh network has. */
    public enum Start {
        /** Uniform in ±1/sqrt(in features), for weights and biases of linear layers. */
        UNIFORM,
        /** N(0, 1). */
        NORMAL,
        ONE,
        ZERO
    }

    /** One tensor. */
    public record Parameter(String name, Role role, Start start, List<Long> shape) {
        public long elements() {
            return shape.stream().reduce(1L, Math::multiplyExact);
        }

        /** Whether a tensor is F32, F16 or BF16 and has this shape. */
        public boolean fits(Tensor tensor) {
            return FLOATS.contains(tensor.dtype()) && Arrays.stream(tensor.shape()).boxed().toList().equals(shape);
        }
    }

    private static final Set<DType> FLOATS = EnumSet.of(DType.F32, DType.F16, DType.BF16);

    private final Map<String, Parameter> parameters = new LinkedHashMap<>();

    private HyperParameters() {
    }

    /** The tensors of a hypernetwork with this configuration; D is its latent width. */
    public static HyperParameters of(HyperConfig config) {
        var table = new HyperParameters();
        table.addLoraShaped("AB_offset", Role.OFFSET, config);
        table.addLoraShaped("mean_recon_target", Role.STATISTIC, config);
        table.addLoraShaped("std_recon_target", Role.STATISTIC, config);
        table.addBody(config);
        for (Target t : config.targets()) {
            String head = "heads." + t.projection().peftName();
            table.add(head + ".weight", Start.UNIFORM, config.headOut(t), config.architecture().headIn());
            if (t.headBias()) {
                table.add(head + ".bias", Start.UNIFORM, config.headOut(t));
            }
        }
        return table;
    }

    private void addBody(HyperConfig config) {
        var arch = config.architecture();
        int d = arch.latent();
        addLinear("task_encoder.mlp.0", arch.embedding(), d / 2);
        addNorm("task_encoder.mlp.1", d / 2);
        add("layer_depth_encoder.0.weight", Start.NORMAL, config.lora().layers(), d / 4);
        addNorm("layer_depth_encoder.1", d / 4);
        add("layer_type_encoder.0.weight", Start.NORMAL, config.targets().size(), d / 4);
        addNorm("layer_type_encoder.1", d / 4);
        addLinear("mixer.1", d, 4L * d);
        addLinear("mixer.4", 4L * d, d);
        for (String block : List.of("mlp1.mlp", "mlp2.mlp")) {
            addNorm(block + ".0", d);
            addLinear(block + ".1", d, 4L * d);
            addLinear(block + ".4", 4L * d, d);
        }
        addNorm("mlp3.0", d);
        addLinear("mlp3.1", d, 4L * d);
        addLinear("mlp3.4", 4L * d, arch.headIn());
        if (arch.autoregGen() && arch.learnablePosEmb()) {
            add("pos_emb.0.weight", Start.NORMAL, config.lora().rank(), d);
            addNorm("pos_emb.1", d);
        }
        if (arch.sharedAbHead()) {
            for (Target t : config.targets()) {
                add("out_emb." + t.projection().peftName() + ".A", Start.NORMAL, d);
                add("out_emb." + t.projection().peftName() + ".B", Start.NORMAL, d);
            }
            addNorm("out_emb_norm", d);
        }
    }

    private void addLoraShaped(String prefix, Role role, HyperConfig config) {
        long layers = config.lora().layers();
        long r = config.lora().rank();
        List<Target> byName = config.targets().stream().sorted(Comparator.comparing(t -> t.projection().peftName())).toList();
        for (Target t : byName) {
            put(prefix + ".A." + t.projection().peftName(), role, Start.ZERO, layers, r, t.in());
        }
        for (Target t : byName) {
            put(prefix + ".B." + t.projection().peftName(), role, Start.ZERO, layers, t.out(), r);
        }
    }

    private void addLinear(String name, long in, long out) {
        add(name + ".weight", Start.UNIFORM, out, in);
        add(name + ".bias", Start.UNIFORM, out);
    }

    private void addNorm(String name, long d) {
        add(name + ".weight", Start.ONE, d);
        add(name + ".bias", Start.ZERO, d);
    }

    private void add(String name, Start start, long... shape) {
        put(name, Role.TRAINABLE, start, shape);
    }

    private void put(String name, Role role, Start start, long... shape) {
        parameters.put(name, new Parameter(name, role, start, Arrays.stream(shape).boxed().toList()));
    }

    /** All tensors by name, in order. */
    public Map<String, Parameter> all() {
        return Collections.unmodifiableMap(parameters);
    }

    /** The tensors that training changes, in order. */
    public List<Parameter> trainable() {
        return parameters.values().stream().filter(p -> p.role() == Role.TRAINABLE).toList();
    }

    /** Number of values in all trainable tensors. */
    public long trainableCount() {
        return trainable().stream().mapToLong(Parameter::elements).sum();
    }

    /** All tensors as f32, to be allocated at once. */
    public TensorTable table() {
        return table(List.copyOf(parameters.values()));
    }

    /** The trainable tensors as f32, to be allocated at once. */
    public TensorTable trainableTable() {
        return table(trainable());
    }

    private static TensorTable table(List<Parameter> parameters) {
        var table = new TensorTable();
        parameters.forEach(p -> table.add(p.name(), DType.F32, p.shape().stream().mapToLong(Long::longValue).toArray()));
        return table;
    }
}
