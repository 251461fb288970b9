package dev.t2l.benchmarks;

import dev.t2l.backend.JavaBackend;
import dev.t2l.model.DecoderConfig;
import dev.t2l.ops.Embedding;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;

/** Rows looked up in a model's table: one for a decoding step, many for a prompt. */
public class EmbeddingBenchmark extends KernelBenchmark {
    @Param({"1", "256"})
    public int rows;

    private Tensor out;
    private Tensor table;
    private Tensor ids;

    @Setup(Level.Trial)
    public void setUp() {
        DecoderConfig model = open();
        table = bench.gaussian(model.vocabulary(), model.hidden());
        ids = bench.indices(model.vocabulary(), rows);
        out = bench.zeros(rows, model.hidden());
        try (var oracle = new JavaBackend()) {
            Tensor want = Tensor.allocate(Arena.ofAuto(), DType.F32, rows, model.hidden());
            Embedding.forward(oracle, want, bench.host(table), bench.host(ids), 1);
            Bench.check(want.toFloats(), bench.floats(lookUp()), 0);
        }
    }

    @Benchmark
    public Tensor lookUp() {
        Embedding.forward(bench.backend, out, table, ids, 1);
        bench.backend.await();
        return out;
    }
}
