package dev.t2l.benchmarks;

import dev.t2l.backend.JavaBackend;
import dev.t2l.ops.Linear;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
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

/** The product of an MLP's up projection, by type of its weights: one row for a decoding step, many for a prompt. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class LinearBenchmark {
    @Param("best")
    public String backend;

    @Param({"smollm2", "mistral7b"})
    public String shape;

    @Param({"F16", "Q8_0", "Q4_0", "Q4_1"})
    public DType type;

    @Param({"1", "128"})
    public int rows;

    private Bench bench;
    private Tensor y;
    private Tensor x;
    private Tensor w;

    @Setup(Level.Trial)
    public void setUp() {
        ModelShape model = ModelShape.of(shape);
        bench = new Bench(backend);
        x = bench.gaussian(rows, model.hidden());
        w = bench.weights(type, model.feedForward(), model.hidden());
        y = bench.zeros(rows, model.feedForward());
        try (var oracle = new JavaBackend()) {
            Linear.forward(oracle, y, x, w, null);
            float[] want = y.toFloats();
            Bench.check(want, multiply().toFloats(), 1e-5);
        }
    }

    @Benchmark
    public Tensor multiply() {
        Linear.forward(bench.backend, y, x, w, null);
        return y;
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        bench.close();
    }
}
