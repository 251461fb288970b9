package dev.t2l.benchmarks;

import dev.t2l.backend.Backend;
import dev.t2l.backend.JavaBackend;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperConfig.Architecture;
import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.hyper.HyperConfig.Origin;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperConfig.Training;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.hyper.HyperParameters;
import dev.t2l.hyper.Hypernetwork;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** A whole hypernetwork pass, task embeddings to adapters: nearly all of it is the heads. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
public class HyperHeadBenchmark {
    @Param("best")
    public String backend;

    /** {@code mistral7b} takes a few seconds of set-up. */
    @Param("smollm2")
    public String shape;

    @Param({"L", "M", "S"})
    public Variant variant;

    @Param({"1", "8"})
    public int descriptions;

    private Bench bench;
    private Weights weights;
    private Hypernetwork network;
    private Tensor embeddings;

    @Setup(Level.Trial)
    public void setUp() {
        bench = new Bench(backend);
        HyperConfig config = config();
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        HyperParameters.of(config).all().forEach((name, p) ->
                tensors.put(name, bench.host(bench.gaussian(p.shape().stream().mapToLong(Long::longValue).toArray()))));
        weights = new Weights(tensors, () -> { });
        network = new Hypernetwork(config, weights, bench.backend);
        embeddings = bench.gaussian(descriptions, config.architecture().embedding());
        try (Backend oracle = new JavaBackend(); Hypernetwork reference = new Hypernetwork(config, weights, oracle)) {
            List<GeneratedLora> want = reference.generate(bench.host(embeddings).slice(0, 1));
            List<GeneratedLora> got = network.generate(embeddings);
            for (Target t : config.targets()) {
                Bench.check(want.getFirst().a(t.projection()).toFloats(), bench.floats(got.getFirst().a(t.projection())), 1e-3);
                Bench.check(want.getFirst().b(t.projection()).toFloats(), bench.floats(got.getFirst().b(t.projection())), 1e-3);
            }
            want.forEach(GeneratedLora::close);
            got.forEach(GeneratedLora::close);
        }
    }

    /** A published hypernetwork for queries and values, of rank 8. */
    private HyperConfig config() {
        ModelShape model = ModelShape.of(shape);
        int layers = switch (shape) {
            case "smollm2" -> 30;
            case "mistral7b" -> 32;
            default -> 2;
        };
        boolean shared = variant == Variant.M || variant == Variant.S;
        boolean byRank = variant == Variant.S || variant == Variant.L_BY_RANK;
        var targets = List.of(new Target(Projection.Q, model.hidden(), model.heads() * model.headDim(), true),
                new Target(Projection.V, model.hidden(), model.kvHeads() * model.headDim(), true));
        return new HyperConfig(new Architecture(shared, byRank, byRank, 128, 512, model.hidden() < 4096 ? 384 : 1024),
                new LoraShape(8, 16, true, layers), targets, Training.sft(), new Origin(Optional.empty(), shape, List.of(), false));
    }

    @Benchmark
    public LoraWeights generate() {
        List<GeneratedLora> adapters = network.generate(embeddings);
        bench.backend.await();
        adapters.forEach(GeneratedLora::close);
        return adapters.getLast().lora();
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        network.close();
        bench.close();
    }
}
