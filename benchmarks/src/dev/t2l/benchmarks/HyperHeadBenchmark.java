package dev.t2l.benchmarks;

import dev.t2l.backend.Backend;
import dev.t2l.backend.JavaBackend;
import dev.t2l.bench.DecoderShapes;
import dev.t2l.bench.EncoderShape;
import dev.t2l.bench.HyperShape;
import dev.t2l.bench.RandomHypernetwork;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.hyper.Hypernetwork;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Tensor;
import java.util.List;
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

    /** The language model that the adapters are for. */
    @Param("smollm2")
    public String shape;

    @Param({"L", "M", "S"})
    public Variant variant;

    @Param({"1", "8"})
    public int descriptions;

    private Bench bench;
    private RandomHypernetwork model;
    private Tensor embeddings;

    @Setup(Level.Trial)
    public void setUp() {
        bench = new Bench(backend);
        HyperConfig config = HyperShape.of(variant, shape, DecoderShapes.of(shape), EncoderShape.beside(shape).width());
        model = new RandomHypernetwork(config, DType.F32, bench.backend);
        embeddings = model.embeddings(descriptions);
        try (Backend oracle = new JavaBackend(); Hypernetwork reference = model.checkpoint().network(oracle)) {
            List<GeneratedLora> want = reference.generate(bench.host(embeddings).slice(0, 1));
            List<GeneratedLora> got = model.network().generate(embeddings);
            for (Target t : config.targets()) {
                Bench.check(want.getFirst().a(t.projection()).toFloats(), bench.floats(got.getFirst().a(t.projection())), 1e-3);
                Bench.check(want.getFirst().b(t.projection()).toFloats(), bench.floats(got.getFirst().b(t.projection())), 1e-3);
            }
            want.forEach(GeneratedLora::close);
            got.forEach(GeneratedLora::close);
        }
    }

    @Benchmark
    public LoraWeights generate() {
        List<GeneratedLora> adapters = model.network().generate(embeddings);
        bench.backend.await();
        adapters.forEach(GeneratedLora::close);
        return adapters.getLast().lora();
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        model.close();
        bench.close();
    }
}
