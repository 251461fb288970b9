package dev.t2l.benchmarks;

import dev.t2l.Adapter;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.hyper.Hypernetwork;
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

    private BenchModel model;
    private HyperCheckpoint checkpoint;
    private Hypernetwork network;
    private Tensor embedding;

    @Setup(Level.Trial)
    public void setUp() {
        model = new BenchModel(shape, backend);
        checkpoint = HyperCheckpoint.load(model.checkpoint);
        network = checkpoint.network(model.backend);
        embedding = model.t2l.encoder().taskEmbeddings(List.of(BenchModel.TASK));
        try (var java = new BenchModel(shape, "java"); Adapter want = java.t2l.generate(BenchModel.TASK); Adapter got = model.t2l.generate(BenchModel.TASK)) {
            var gotten = got.onHost(Arena.ofAuto()).pairs();
            want.weights().pairs().forEach((site, pair) -> {
                Bench.check(pair.a().toFloats(), gotten.get(site).a().toFloats(), 1e-3);
                Bench.check(pair.b().toFloats(), gotten.get(site).b().toFloats(), 1e-3);
            });
        }
    }

    @Benchmark
    public Tensor encode() {
        model.t2l.encoder().taskEmbeddings(List.of(BenchModel.TASK), embedding);
        model.backend.await();
        return embedding;
    }

    @Benchmark
    public LoraWeights generate() {
        try (GeneratedLora lora = network.generate(embedding).getFirst()) {
            model.backend.await();
            return lora.lora();
        }
    }

    @Benchmark
    public LoraWeights textToAdapter() {
        try (Adapter adapter = model.t2l.generate(BenchModel.TASK)) {
            model.backend.await();
            return adapter.weights();
        }
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        network.close();
        checkpoint.close();
        model.close();
    }
}
