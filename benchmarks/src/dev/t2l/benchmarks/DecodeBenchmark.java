package dev.t2l.benchmarks;

import dev.t2l.Adapter;
import dev.t2l.model.Generator;
import dev.t2l.ops.LoraBatch;
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

/**
 * One step of decoding one sequence, the choice of the token included: its inverse is tokens a second. Each iteration begins with a
 * new sequence, so times are those of the first few hundred tokens; {@code -prof gc} shows what a step leaves on the heap.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class DecodeBenchmark {
    private static final int PROMPT = 16;

    @Param("best")
    public String backend;

    @Param("smollm2")
    public String shape;

    /** As for {@code t2l bench --dtype}. */
    @Param("q4_1")
    public String dtype;

    /** {@code generated}: with an adapter of the hypernetwork. */
    @Param({"none", "generated"})
    public String adapter;

    private BenchModel model;
    private Adapter lora;
    private List<LoraBatch.Entry> adapters = List.of();
    private Generator generator;

    @Setup(Level.Trial)
    public void setUp() {
        model = new BenchModel(shape, dtype, backend);
        if (adapter.equals("generated")) {
            lora = model.t2l.generate(model.task());
            adapters = List.of(new LoraBatch.Entry(lora.weights(), LoraBatch.Weight.constant(1)));
        }
        model.check(adapters);
    }

    @Setup(Level.Iteration)
    public void begin() {
        end();
        int room = Math.min(1024, model.decoder.config().contextLength() - PROMPT);
        generator = new Generator(model.sessions, List.of(model.sequence(PROMPT, room, adapters)));
        generator.prefill(() -> false);
    }

    @Benchmark
    public int step() {
        int token = generator.take(0);
        if (!generator.step()) {
            begin();
        }
        return token;
    }

    @TearDown(Level.Iteration)
    public void end() {
        if (generator != null) {
            generator.close();
            generator = null;
        }
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        if (lora != null) {
            lora.close();
        }
        model.close();
    }
}
