package dev.t2l.benchmarks;

import dev.t2l.backend.Backend;
import dev.t2l.backend.JavaBackend;
import dev.t2l.backend.LoraRows;
import dev.t2l.ops.ArrowPrototype;
import dev.t2l.ops.LoraBatch;
import dev.t2l.ops.Route;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.TearDown;

/** The choice of each row's three adapters among many, at one projection. */
public class RouteBenchmark extends KernelBenchmark {
    private static final Site SITE = new Site(0, Projection.Q);
    private static final int RANK = 8;

    @Param({"10", "100"})
    public int adapters;

    @Param({"1", "128"})
    public int rows;

    private LoraBatch batch;
    private Tensor x;

    @Setup(Level.Trial)
    public void setUp() {
        int d = open().hidden();
        x = bench.gaussian(rows, d);
        List<LoraBatch.Entry> library = new ArrayList<>();
        for (int i = 0; i < adapters; i++) {
            var pair = new Pair(bench.host(bench.gaussian(RANK, d)), bench.host(bench.gaussian(d, RANK)), 1);
            library.add(new LoraBatch.Entry(new LoraWeights(Map.of(SITE, pair)), new LoraBatch.Routed(1, Map.of(SITE, ArrowPrototype.of(pair)), new LoraBatch.Choice(3, 1))));
        }
        batch = batch(bench.backend, library);
        try (var oracle = new JavaBackend(); LoraBatch same = batch(oracle, library)) {
            Route.forward(oracle, bench.host(x), rows(same));
            Bench.check(rows(same).weights().toFloats(), bench.floats(route()), 1e-3);
        }
    }

    private LoraBatch batch(Backend backend, List<LoraBatch.Entry> library) {
        return new LoraBatch(backend, Collections.nCopies(rows, library), p -> 0);
    }

    private static LoraRows rows(LoraBatch batch) {
        return batch.at(SITE.layer(), SITE.projection());
    }

    @Benchmark
    public Tensor route() {
        Route.forward(bench.backend, x, rows(batch));
        bench.backend.await();
        return rows(batch).weights();
    }

    @TearDown(Level.Trial)
    public void closeBatch() {
        batch.close();
    }
}
