package dev.t2l.benchmarks;

import dev.t2l.backend.JavaBackend;
import dev.t2l.model.DecoderConfig;
import dev.t2l.ops.Linear;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;

/** The product of an MLP's up projection, by type of its weights: one row for a decoding step, many for a prompt. */
public class LinearBenchmark extends KernelBenchmark {
    @Param({"F16", "Q8_0", "Q4_0", "Q4_1"})
    public DType type;

    @Param({"1", "128"})
    public int rows;

    private Tensor y;
    private Tensor x;
    private Tensor w;

    @Setup(Level.Trial)
    public void setUp() {
        DecoderConfig model = open();
        x = bench.gaussian(rows, model.hidden());
        w = bench.weights(type, model.intermediate(), model.hidden());
        y = bench.zeros(rows, model.intermediate());
        try (var oracle = new JavaBackend()) {
            Tensor want = Tensor.ofFloats(new float[(int) y.elements()], y.shape());
            Linear.forward(oracle, want, bench.host(x), bench.host(w), null);
            Bench.check(want.toFloats(), bench.floats(multiply()), 1e-5);
        }
    }

    @Benchmark
    public Tensor multiply() {
        Linear.forward(bench.backend, y, x, w, null);
        bench.backend.await();
        return y;
    }
}
