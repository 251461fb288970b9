package dev.t2l.benchmarks;

import dev.t2l.backend.JavaBackend;
import dev.t2l.ops.Embedding;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
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

/** Rows looked up in a model's table: one for a decoding step, many for a prompt. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class EmbeddingBenchmark {
    @Param("best")
    public String backend;

    @Param({"smollm2", "mistral7b"})
    public String shape;

    @Param({"1", "256"})
    public int rows;

    private Bench bench;
    private Tensor out;
    private Tensor table;
    private Tensor ids;

    @Setup(Level.Trial)
    public void setUp() {
        ModelShape model = ModelShape.of(shape);
        bench = new Bench(backend);
        table = bench.gaussian(model.vocabulary(), model.hidden());
        ids = bench.indices(model.vocabulary(), rows);
        out = bench.zeros(rows, model.hidden());
        try (var oracle = new JavaBackend()) {
            Tensor want = Tensor.allocate(Arena.ofAuto(), DType.F32, rows, model.hidden());
            Embedding.forward(oracle, want, table, ids, 1);
            Bench.check(want.toFloats(), lookUp().toFloats(), 0);
        }
    }

    @Benchmark
    public Tensor lookUp() {
        Embedding.forward(bench.backend, out, table, ids, 1);
        return out;
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        bench.close();
    }
}
