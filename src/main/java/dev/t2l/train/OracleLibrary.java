package dev.t2l.train;

import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.io.PeftConfig;
import dev.t2l.io.PeftScaling;
import dev.t2l.io.PeftTargets;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The targets of reconstruction: one LoRA a task, all of one shape, on the same modules of every layer. Factors are kept on the host as a
 * hypernetwork generates them: {@code A.m} f32 [layers, r, in] and {@code B.m} f32 [layers, out, r] of a module m.
 */
public final class OracleLibrary {
    private final List<String> tasks;
    private final List<Tensor> embeddings;
    private final List<Map<String, Tensor>> factors;
    private final PeftConfig adapterConfig;
    private final LoraShape shape;
    private final List<Target> targets;

    /** Per element of a factor, over the tasks. */
    record Statistics(Map<String, Tensor> mean, Map<String, Tensor> deviation) {
    }

    /** @throws IllegalArgumentException if two tasks have one name, or do not agree in their modules, shapes, scale or embeddings' width */
    public OracleLibrary(List<Oracle> oracles) {
        if (oracles.isEmpty()) {
            throw new IllegalArgumentException("a library without a task");
        }
        this.tasks = oracles.stream().map(Oracle::task).toList();
        this.embeddings = oracles.stream().map(Oracle::embeddings).toList();
        if (new HashSet<>(tasks).size() != tasks.size()) {
            throw new IllegalArgumentException("two tasks of the library have one name: " + tasks);
        }
        this.adapterConfig = oracles.getFirst().adapter().config();
        LoraWeights first = oracles.getFirst().adapter().weights();
        this.targets = targets(first);
        int layers = first.pairs().keySet().stream().mapToInt(Site::layer).max().orElseThrow() + 1;
        var scaling = adapterConfig.scaling();
        this.shape = new LoraShape(scaling.rank(), scaling.alpha(), scaling.rsLora(), layers);
        oracles.forEach(this::check);
        this.factors = oracles.stream().map(o -> factors(o.adapter().weights())).toList();
    }

    private static List<Target> targets(LoraWeights adapter) {
        return Arrays.stream(Projection.values()).filter(p -> adapter.at(0, p) != null).map(p -> {
            Pair pair = adapter.at(0, p);
            return new Target(p, Math.toIntExact(pair.in()), Math.toIntExact(pair.out()), false);
        }).toList();
    }

    private void check(Oracle oracle) {
        long width = embeddings.getFirst().cols();
        if (oracle.embeddings().cols() != width) {
            throw problem(oracle, "embeddings of width " + width, oracle.embeddings().toString());
        }
        Map<Site, Pair> pairs = oracle.adapter().weights().pairs();
        if (pairs.size() != targets.size() * shape.layers()) {
            throw problem(oracle, targets.size() * shape.layers() + " LoRA pairs, one a module and layer", pairs.size() + "");
        }
        for (Target t : targets) {
            for (int l = 0; l < shape.layers(); l++) {
                var site = new Site(l, t.projection());
                Pair pair = pairs.get(site);
                boolean fits = pair != null && pair.rank() == shape.rank() && pair.in() == t.in() && pair.out() == t.out() && pair.scale() == shape.scale();
                if (!fits) {
                    throw problem(oracle, "at " + site + " rank " + shape.rank() + ", " + t.in() + " -> " + t.out() + ", scale " + shape.scale(),
                            pair == null ? "nothing" : "rank " + pair.rank() + ", " + pair.in() + " -> " + pair.out() + ", scale " + pair.scale());
                }
            }
        }
    }

    private static IllegalArgumentException problem(Oracle oracle, String wanted, String found) {
        return new IllegalArgumentException("task '" + oracle.task() + "': wanted " + wanted + ", found " + found);
    }

    private Map<String, Tensor> factors(LoraWeights adapter) {
        Map<String, Tensor> stacked = new LinkedHashMap<>();
        for (Target t : targets) {
            String module = "." + t.projection().peftName();
            stacked.put("A" + module, stack(adapter, t.projection(), true, shape.rank(), t.in()));
            stacked.put("B" + module, stack(adapter, t.projection(), false, t.out(), shape.rank()));
        }
        return stacked;
    }

    private Tensor stack(LoraWeights adapter, Projection module, boolean a, long rows, long cols) {
        Tensor all = Tensor.ofFloats(new float[Math.toIntExact(shape.layers() * rows * cols)], shape.layers(), rows, cols);
        for (int l = 0; l < shape.layers(); l++) {
            Pair pair = adapter.at(l, module);
            Tensor one = a ? pair.a() : pair.b();
            MemorySegment.copy(one.data(), 0, all.get(l).data(), 0, one.bytes());
        }
        return all;
    }

    /** Names, in order. */
    public List<String> tasks() {
        return tasks;
    }

    public int size() {
        return tasks.size();
    }

    /** The adapters' rank, scale and number of layers. */
    public LoraShape shape() {
        return shape;
    }

    /** The adapters' modules; whether a head has a bias is nothing that a library knows. */
    public List<Target> targets() {
        return targets;
    }

    /** PEFT's configuration of adapters like these. */
    public PeftConfig adapterConfig() {
        List<String> modules = targets.stream().map(t -> t.projection().peftName()).toList();
        return new PeftConfig(adapterConfig.baseModel(), new PeftScaling(shape.rank(), shape.alpha(), shape.useRslora()), PeftTargets.ofModules(modules),
                adapterConfig.dropout(), adapterConfig.taskType());
    }

    /** A task's descriptions, f32 [n, E] on the host. */
    public Tensor embeddings(int task) {
        return embeddings.get(task);
    }

    /** A task's factors by name, on the host. */
    Map<String, Tensor> factors(int task) {
        return factors.get(task);
    }

    /** Mean and unbiased (n - 1) standard deviation of every element. */
    Statistics statistics() {
        if (size() < 2) {
            throw new IllegalArgumentException("z-scores need a standard deviation, and so at least two tasks; the library has " + size());
        }
        var statistics = new Statistics(new LinkedHashMap<>(), new LinkedHashMap<>());
        for (String name : factors.getFirst().keySet()) {
            double[] mean = new double[Math.toIntExact(factors.getFirst().get(name).elements())];
            double[] squares = new double[mean.length];
            for (var task : factors) {
                Tensor factor = task.get(name);
                for (int i = 0; i < mean.length; i++) {
                    mean[i] += factor.getFloat(i) / (double) size();
                }
            }
            for (var task : factors) {
                Tensor factor = task.get(name);
                for (int i = 0; i < mean.length; i++) {
                    squares[i] += (factor.getFloat(i) - mean[i]) * (factor.getFloat(i) - mean[i]);
                }
            }
            Tensor means = Tensor.ofFloats(new float[mean.length], factors.getFirst().get(name).shape());
            Tensor deviations = Tensor.ofFloats(new float[mean.length], means.shape());
            for (int i = 0; i < mean.length; i++) {
                means.setFloat(i, (float) mean[i]);
                deviations.setFloat(i, (float) Math.sqrt(squares[i] / (size() - 1)));
            }
            statistics.mean().put(name, means);
            statistics.deviation().put(name, deviations);
        }
        return statistics;
    }
}
