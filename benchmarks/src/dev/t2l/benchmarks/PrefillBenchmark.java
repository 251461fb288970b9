package dev.t2l.benchmarks;

import dev.t2l.model.Generator;
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

/** A prompt read from scratch up to its first answered token, in the memory of the request before. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class PrefillBenchmark {
    @Param("best")
    public String backend;

    @Param("smollm2")
    public String shape;

    /** As for {@code t2l bench --dtype}. */
    @Param("q4_1")
    public String dtype;

    /** No more than the model's context. */
    @Param({"32", "512"})
    public int tokens;

    private BenchModel model;
    private Generator.Sequence sequence;

    @Setup(Level.Trial)
    public void setUp() {
        model = new BenchModel(shape, dtype, backend);
        sequence = model.sequence(Math.min(tokens, model.decoder.config().contextLength() - 1), 1, List.of());
        model.check(List.of());
    }

    @Benchmark
    public int prefill() {
        try (var generator = new Generator(model.sessions, List.of(sequence))) {
            generator.prefill(() -> false);
            return generator.take(0);
        }
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        model.close();
    }
}
