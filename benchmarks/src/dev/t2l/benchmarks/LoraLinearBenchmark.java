package dev.t2l.benchmarks;

import dev.t2l.backend.Backend;
import dev.t2l.backend.JavaBackend;
import dev.t2l.backend.LoraRows;
import dev.t2l.ops.LoraBatch;
import dev.t2l.ops.LoraLinear;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.TearDown;

/** A product with a LoRA adapter on every row; rank 0 is the product alone, so the difference is the adapter's price. */
public class LoraLinearBenchmark extends KernelBenchmark {
    @Param({"0", "8", "64"})
    public int rank;

    @Param({"1", "128"})
    public int rows;

    private LoraBatch batch;
    private LoraRows adapters;
    private Tensor y;
    private Tensor x;
    private Tensor w;

    @Setup(Level.Trial)
    public void setUp() {
        int d = open().hidden();
        x = bench.gaussian(rows, d);
        w = bench.weights(DType.Q4_1, d, d);
        y = bench.zeros(rows, d);
        LoraWeights adapter = rank == 0 ? null : new LoraWeights(Map.of(new LoraWeights.Site(0, Projection.Q),
                new LoraWeights.Pair(bench.gaussian(rank, d), bench.gaussian(d, rank), 1f / rank)));
        batch = batch(bench.backend, adapter);
        adapters = batch.at(0, Projection.Q);
        try (var oracle = new JavaBackend(); LoraBatch same = batch(oracle, adapter == null ? null : adapter.moved(bench::host))) {
            Tensor want = Tensor.ofFloats(new float[(int) y.elements()], y.shape());
            LoraLinear.forward(oracle, want, bench.host(x), bench.host(w), null, same.at(0, Projection.Q));
            Bench.check(want.toFloats(), bench.floats(multiply()), 1e-5);
        }
    }

    private LoraBatch batch(Backend backend, LoraWeights adapter) {
        List<LoraBatch.Entry> row = adapter == null ? List.of() : List.of(new LoraBatch.Entry(adapter, LoraBatch.Weight.constant(1)));
        return new LoraBatch(backend, Collections.nCopies(rows, row), p -> 0);
    }

    @Benchmark
    public Tensor multiply() {
        LoraLinear.forward(bench.backend, y, x, w, null, adapters);
        bench.backend.await();
        return y;
    }

    @TearDown(Level.Trial)
    public void closeBatch() {
        batch.close();
    }
}
