package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.backend.LoraFactor;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperConfig.Output;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.ops.Add;
import dev.t2l.ops.Distance;
import dev.t2l.ops.Fill;
import dev.t2l.ops.HyperHead;
import dev.t2l.ops.Linear;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Map;

/**
 * How far generated adapters are from a library's, and the gradient. Means over the modules of
 * <ul>
 * <li>factorised: {@code 1/2 mean |A - A*| + 1/2 mean |B - B*|}, the targets as they are or z-scored,
 *     {@code (T - mean) / (deviation + 1e-10)}, the adapters being z-scores, too;
 * <li>else: {@code mean |B A - s B* A*|}, s = delta_w_scaling, one layer's product at a time;
 * </ul>
 * or of squares.
 */
final class ReconstructionLoss implements AutoCloseable {
    private static final float DEVIATION_EPSILON = 1e-10f;

    private final HyperConfig config;
    private final boolean squared;
    private final Owned owned = new Owned();
    private final Backend backend;
    private final PlacedFactors oracles;
    private final Weights tensors;

    /** @param raw the same error before z-scoring or scaling, in the adapters' own units */
    record Value(double loss, double raw) {
    }

    ReconstructionLoss(HyperConfig config, OracleLibrary library, boolean squared, Backend backend) {
        this.config = config;
        this.squared = squared;
        this.backend = backend;
        this.oracles = owned.add(() -> new PlacedFactors(library, backend));
        this.tensors = owned.add(() -> plan(config).carve(backend::allocate));
        if (config.training().output() == Output.Z_SCORE) {
            owned.run(() -> uploadStatistics(library.statistics()));
        }
    }

    /** What the loss allocates beside the oracles' factors. */
    static TensorTable plan(HyperConfig config) {
        var table = new TensorTable().add("loss", DType.F32, 2);
        Output output = config.training().output();
        int layers = config.lora().layers();
        long r = config.lora().rank();
        long widest = 0;
        for (Target t : config.targets()) {
            for (String factor : List.of("A", "B")) {
                String name = factor + "." + t.projection().peftName();
                long[] shape = factor.equals("A") ? new long[] {layers, r, t.in()} : new long[] {layers, t.out(), r};
                if (output == Output.Z_SCORE) {
                    for (String of : List.of("target.", "mean.", "deviation.", "inverse.")) {
                        table.add(of + name, DType.F32, shape);
                    }
                    widest = Math.max(widest, Tensor.elements(shape));
                }
            }
            if (output == Output.DELTA_W) {
                widest = Math.max(widest, (long) t.out() * t.in());
            }
        }
        if (widest > 0) {
            table.add("x", DType.F32, widest).add("dx", DType.F32, widest);
        }
        if (output == Output.DELTA_W) {
            table.add("product", DType.F32, widest);
        }
        return table;
    }

    private void uploadStatistics(OracleLibrary.Statistics statistics) {
        statistics.mean().forEach((name, mean) -> {
            backend.upload(tensors.get("mean." + name), mean.data());
            float[] deviation = statistics.deviation().get(name).toFloats();
            float[] inverse = new float[deviation.length];
            for (int i = 0; i < inverse.length; i++) {
                deviation[i] += DEVIATION_EPSILON;
                inverse[i] = 1 / deviation[i];
            }
            backend.upload(tensors.get("deviation." + name), Tensor.ofFloats(deviation, deviation.length).data());
            backend.upload(tensors.get("inverse." + name), Tensor.ofFloats(inverse, inverse.length).data());
        });
    }

    /**
     * The loss of generated adapters and its gradient, which overwrites {@code gradients}.
     *
     * @param tasks of each adapter, by number; equal ones one after another
     */
    Value lossAndGradient(List<GeneratedLora> adapters, List<GeneratedLora> gradients, int[] tasks) {
        Fill.forward(backend, tensors.get("loss"), 0);
        for (int from = 0, to; from < tasks.length; from = to) {
            to = from + 1;
            while (to < tasks.length && tasks[to] == tasks[from]) {
                to++;
            }
            Map<String, Tensor> wanted = oracles.of(tasks[from]);
            for (Target t : config.targets()) {
                if (config.training().output() == Output.DELTA_W) {
                    product(t, wanted, new Rows(adapters, gradients, from, to));
                } else {
                    factor("A." + t.projection().peftName(), wanted, new Rows(adapters, gradients, from, to));
                    factor("B." + t.projection().peftName(), wanted, new Rows(adapters, gradients, from, to));
                }
            }
        }
        return value();
    }

    /** Adapters of one task: those from {@code from} to before {@code to}. */
    private record Rows(List<GeneratedLora> adapters, List<GeneratedLora> gradients, int from, int to) {
    }

    private Value value() {
        try (Arena arena = Arena.ofConfined()) {
            float[] sums = backend.host(arena, tensors.get("loss")).toFloats();
            double scaling = config.training().deltaWScaling();
            return switch (config.training().output()) {
                case Z_SCORE -> new Value(sums[0], sums[1]);
                case DELTA_W -> new Value(sums[0], sums[0] / (squared ? scaling * scaling : scaling));
                case RAW, OFFSET -> new Value(sums[0], sums[0]);
            };
        }
    }

    /** Of an oracle's factor, on the backend: {@code (T - mean) / (deviation + 1e-10)}. */
    private Tensor zScored(String name, Tensor raw) {
        Tensor gap = tensors.get("x").prefix(raw.shape());
        Tensor target = tensors.get("target." + name);
        backend.copy(gap, raw);
        Add.forward(backend, gap, tensors.get("mean." + name), -1);
        HyperHead.factor(backend, target, gap, elementwise(target), tensors.get("inverse." + name), null);
        return target;
    }

    /** A factor that is cut from a tensor of its own shape. */
    private static LoraFactor elementwise(Tensor factor) {
        return new LoraFactor(0, factor.dim(1) * factor.dim(2), factor.dim(2), false);
    }

    private void factor(String name, Map<String, Tensor> wanted, Rows rows) {
        boolean zScore = config.training().output() == Output.Z_SCORE;
        Tensor oracle = wanted.get(name);
        Tensor target = zScore ? zScored(name, oracle) : oracle;
        float weight = (float) (0.5 / config.targets().size() / rows.adapters().size() / target.elements());
        for (int i = rows.from(); i < rows.to(); i++) {
            Tensor x = rows.adapters().get(i).factors().get(name);
            Distance.lossAndGradient(backend, tensors.get("loss").slice(0, 1), rows.gradients().get(i).factors().get(name), x, target, weight, squared);
            if (zScore) {
                Tensor raw = tensors.get("x").prefix(x.shape());
                HyperHead.factor(backend, raw, x, elementwise(x), tensors.get("deviation." + name), tensors.get("mean." + name));
                Distance.lossAndGradient(backend, tensors.get("loss").slice(1, 2), tensors.get("dx").prefix(x.shape()), raw, oracle, weight, squared);
            }
        }
    }

    /** With {@code D = d loss / d (B A)}: {@code dA = B^T D}, {@code dB = D A^T}. */
    private void product(Target t, Map<String, Tensor> oracle, Rows rows) {
        Tensor x = tensors.get("x").prefix(t.out(), t.in());
        Tensor dx = tensors.get("dx").prefix(t.out(), t.in());
        Tensor wanted = tensors.get("product").prefix(t.out(), t.in());
        float weight = (float) (1.0 / config.targets().size() / rows.adapters().size() / config.lora().layers() / x.elements());
        for (int l = 0; l < config.lora().layers(); l++) {
            Linear.backward(backend, x, oracle.get("B." + t.projection().peftName()).get(l), oracle.get("A." + t.projection().peftName()).get(l), false);
            Fill.forward(backend, wanted, 0);
            Add.forward(backend, wanted, x, (float) config.training().deltaWScaling());
            for (int i = rows.from(); i < rows.to(); i++) {
                Tensor a = rows.adapters().get(i).a(t.projection()).get(l);
                Tensor b = rows.adapters().get(i).b(t.projection()).get(l);
                Tensor da = rows.gradients().get(i).a(t.projection()).get(l);
                Linear.backward(backend, x, b, a, false); // B A
                Distance.lossAndGradient(backend, tensors.get("loss").slice(0, 1), dx, x, wanted, weight, squared);
                Fill.forward(backend, da, 0);
                Linear.gradient(backend, da, null, b, dx);
                Linear.forward(backend, rows.gradients().get(i).b(t.projection()).get(l), dx, a, null);
            }
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
