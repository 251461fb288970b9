package dev.t2l.hyper;

import dev.t2l.backend.Noise;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperConfig.TrainingTask;
import dev.t2l.hyper.HyperParameters.Parameter;
import dev.t2l.hyper.HyperParameters.Start;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.function.LongToDoubleFunction;

/**
 * Fresh hypernetworks. Linear layers, embeddings and norms start as PyTorch's do: weight and bias uniform in ±1/sqrt(in), N(0, 1), 1 and
 * 0. Offsets and statistics are 0.
 *
 * <p>For supervised fine-tuning heads start with weight 0 and a bias (the published "Bias-HyperInit") that holds PEFT's fresh LoRA, the
 * same for every layer: A uniform in ±1/sqrt(in), B zero. By variant:
 * <ul>
 * <li>L: {@code [A | B]}. The untrained adapter changes nothing, to the bit.
 * <li>M: row k of {@code [r, max(in, out)]} is row k of {@code A / sqrt(2)}, and over again where out is larger than in (the
 *     published code fails there).
 * <li>S: the first H values of {@code A / sqrt(2 r)}.
 * <li>L by rank: the first {@code in + out} values of {@code A / sqrt(r)}.
 * </ul>
 * S and L by rank take A over again from its start where it is too short (the published code fails there). In all but L the bias serves B as
 * well, so that B is not zero: the untrained adapter acts on its base.
 *
 * <p>Heads without a bias that are fine-tuned on top of a multi-task LoRA start at 0: the untrained adapter is that LoRA. Heads of
 * reconstruction start as any linear layer.
 */
public final class HyperInit {
    private static final String HEAD = "heads.";

    private final HyperConfig config;
    private final Weights weights;

    private HyperInit(HyperConfig config) {
        this.config = config;
        this.weights = HyperParameters.of(config).table().carve(bytes -> new Memory(Arena.ofAuto().allocate(bytes, 64), () -> { }));
    }

    /**
     * All tensors of {@link HyperParameters}, f32 on the host, as long as they are reachable. The same seed gives the same bits.
     *
     * @param config whose targets say whether heads have a bias
     */
    public static Weights weights(HyperConfig config, long seed) {
        var init = new HyperInit(config);
        List<Parameter> trainable = HyperParameters.of(config).trainable();
        for (int i = 0; i < trainable.size(); i++) {
            init.fill(trainable.get(i), Noise.seed(seed, i));
        }
        return init.weights;
    }

    private void fill(Parameter p, long stream) {
        Tensor tensor = weights.get(p.name());
        boolean tunedHead = config.training().task() == TrainingTask.SFT && p.name().startsWith(HEAD);
        switch (tunedHead ? Start.ZERO : p.start()) {
            case UNIFORM -> {
                long in = weights.get(p.name().replaceFirst("\\.bias$", ".weight")).cols();
                fill(tensor, i -> uniform(stream, i, in));
            }
            case NORMAL -> fill(tensor, i -> normal(stream, i));
            case ONE -> fill(tensor, i -> 1);
            case ZERO -> fill(tensor, i -> 0);
        }
        if (tunedHead && p.name().endsWith(".bias")) {
            config.targets().stream().filter(t -> p.name().equals(HEAD + t.projection().peftName() + ".bias")).forEach(t -> bias(t, tensor, stream));
        }
    }

    private void bias(Target t, Tensor bias, long stream) {
        int r = config.lora().rank();
        long a = (long) r * t.in();
        LongToDoubleFunction of = i -> uniform(stream, i, t.in());
        switch (config.variant()) {
            case L -> fill(bias, i -> i < a ? of.applyAsDouble(i) : 0);
            case M -> {
                long width = config.rankWidth(t);
                fill(bias, i -> of.applyAsDouble(i / width * t.in() + i % width % t.in()) / Math.sqrt(2));
            }
            case S -> fill(bias, i -> of.applyAsDouble(i % a) / Math.sqrt(2.0 * r));
            case L_BY_RANK -> fill(bias, i -> of.applyAsDouble(i % a) / Math.sqrt(r));
        }
    }

    private static void fill(Tensor tensor, LongToDoubleFunction value) {
        for (long i = 0; i < tensor.elements(); i++) {
            tensor.setFloat(i, (float) value.applyAsDouble(i));
        }
    }

    private static double uniform(long stream, long i, long in) {
        return Noise.uniform(stream, i) / Math.sqrt(in);
    }

    /** Box and Muller 1958. */
    private static double normal(long stream, long i) {
        double u = (Noise.uniform(stream, 2 * i) + 1) / 2 + 0x1p-25; // in (0, 1)
        double angle = Math.PI * Noise.uniform(stream, 2 * i + 1);
        return Math.sqrt(-2 * Math.log(u)) * Math.cos(angle);
    }
}
