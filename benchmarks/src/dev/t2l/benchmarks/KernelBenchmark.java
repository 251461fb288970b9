package dev.t2l.benchmarks;

import dev.t2l.bench.DecoderShapes;
import dev.t2l.model.DecoderConfig;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What the benchmarks of single operations share: microseconds a call, on a backend, at a model's shape. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public abstract class KernelBenchmark {
    @Param("best")
    public String backend;

    @Param({"smollm2", "mistral-7b"})
    public String shape;

    Bench bench;

    /** Opens the backend; the model's shape. */
    DecoderConfig open() {
        bench = new Bench(backend);
        return DecoderShapes.of(shape);
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        bench.close();
    }
}
