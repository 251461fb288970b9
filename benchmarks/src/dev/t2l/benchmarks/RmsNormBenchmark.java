package dev.t2l.benchmarks;

import dev.t2l.backend.JavaBackend;
import dev.t2l.model.DecoderConfig;
import dev.t2l.ops.RmsNorm;
import dev.t2l.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;

/** Root-mean-square norm of hidden states: one row for a decoding step, many for a prompt. {@code -p backend=java,cpu} compares. */
public class RmsNormBenchmark extends KernelBenchmark {
    @Param({"1", "256"})
    public int rows;

    private Tensor out;
    private Tensor x;
    private Tensor weight;

    @Setup(Level.Trial)
    public void setUp() {
        DecoderConfig model = open();
        x = bench.gaussian(rows, model.hidden());
        weight = bench.gaussian(model.hidden());
        out = bench.zeros(rows, model.hidden());
        try (var oracle = new JavaBackend()) {
            Tensor want = Tensor.ofFloats(new float[(int) out.elements()], out.shape());
            RmsNorm.forward(oracle, want, bench.host(x), bench.host(weight), 1e-5f, 0);
            Bench.check(want.toFloats(), bench.floats(normalise()), 1e-6);
        }
    }

    @Benchmark
    public Tensor normalise() {
        RmsNorm.forward(bench.backend, out, x, weight, 1e-5f, 0);
        bench.backend.await();
        return out;
    }
}
