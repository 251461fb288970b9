package dev.t2l.benchmarks;

import dev.t2l.Adapter;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
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

/** From a sentence to an adapter in memory, and its two parts: the encoder, then the hypernetwork. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class TextToAdapterBenchmark {
    @Param("best")
    public String backend;

    @Param("smollm2")
    public String shape;

    /** As for {@code t2l bench --dtype}. */
    @Param("q4_1")
    public String dtype;

    private BenchModel model;
    private Tensor embedding;
    private String task;

    @Setup(Level.Trial)
    public void setUp() {
        model = new BenchModel(shape, dtype, backend);
        task = model.task();
        embedding = model.t2l.encoder().taskEmbeddings(List.of(task));
        try (BenchModel oracle = model.oracle()) {
            if (oracle != null) {
                check(oracle);
            }
        }
    }

    private void check(BenchModel oracle) {
        try (Adapter want = oracle.t2l.generate(task); Adapter got = model.t2l.generate(task)) {
            var gotten = got.onHost(Arena.ofAuto()).pairs();
            want.weights().pairs().forEach((site, pair) -> {
                Bench.check(pair.a().toFloats(), gotten.get(site).a().toFloats(), 1e-3);
                Bench.check(pair.b().toFloats(), gotten.get(site).b().toFloats(), 1e-3);
            });
        }
    }

    @Benchmark
    public Tensor encode() {
        model.t2l.encoder().taskEmbeddings(List.of(task), embedding);
        model.backend.await();
        return embedding;
    }

    @Benchmark
    public LoraWeights generate() {
        try (GeneratedLora lora = model.hypernetwork.network().generate(embedding).getFirst()) {
            model.backend.await();
            return lora.lora();
        }
    }

    @Benchmark
    public LoraWeights textToAdapter() {
        try (Adapter adapter = model.t2l.generate(task)) {
            model.backend.await();
            return adapter.weights();
        }
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        model.close();
    }
}
