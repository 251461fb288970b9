package dev.t2l.benchmarks;

import dev.t2l.backend.JavaBackend;
import dev.t2l.ops.RmsNorm;
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

/** Root-mean-square norm of hidden states: one row for a decoding step, many for a prompt. {@code -p backend=java,cpu} compares. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class RmsNormBenchmark {
    @Param("best")
    public String backend;

    @Param({"smollm2", "mistral7b"})
    public String shape;

    @Param({"1", "256"})
    public int rows;

    private Bench bench;
    private Tensor out;
    private Tensor x;
    private Tensor weight;

    @Setup(Level.Trial)
    public void setUp() {
        ModelShape model = ModelShape.of(shape);
        bench = new Bench(backend);
        x = bench.gaussian(rows, model.hidden());
        weight = bench.gaussian(model.hidden());
        out = bench.zeros(rows, model.hidden());
        try (var oracle = new JavaBackend()) {
            RmsNorm.forward(oracle, out, x, weight, 1e-5f, 0);
            float[] want = out.toFloats();
            Bench.check(want, normalise().toFloats(), 1e-6);
        }
    }

    @Benchmark
    public Tensor normalise() {
        RmsNorm.forward(bench.backend, out, x, weight, 1e-5f, 0);
        return out;
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        bench.close();
    }
}
