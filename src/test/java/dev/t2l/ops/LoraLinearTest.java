package dev.t2l.ops;

import static dev.t2l.Golden.assertClose;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.t2l.EachBackend;
import dev.t2l.backend.Backend;
import dev.t2l.backend.HostTensors;
import dev.t2l.ops.LoraBatch.Entry;
import dev.t2l.ops.LoraBatch.Weight;
import dev.t2l.tensor.HeadRows;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Rows of one batch with different adapters, ranks and none, against the formula computed entry by entry. */
class LoraLinearTest {
    private static final int IN = 37; // odd: every vector loop has a remainder
    private static final int OUT = 22;
    private static final int HEAD = 11 * 2;

    private final SplittableRandom random = new SplittableRandom(7);
    private final Tensor w = normal(OUT, IN);
    private final LoraWeights small = adapter(1, 0.5f);
    private final LoraWeights large = adapter(9, 2f);

    static List<String> backends() {
        return EachBackend.available();
    }

    private Tensor normal(long... shape) {
        float[] values = new float[(int) Tensor.elements(shape)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Tensor.ofFloats(values, shape);
    }

    private LoraWeights adapter(int rank, float scale) {
        return new LoraWeights(Map.of(new LoraWeights.Site(0, Projection.Q), new LoraWeights.Pair(normal(rank, IN), normal(OUT, rank), scale)));
    }

    private static float[] run(Backend backend, Tensor x, Tensor w, List<List<Entry>> rows, int headDim) {
        Tensor y = Tensor.ofFloats(new float[(int) x.rows() * OUT], x.rows(), OUT);
        try (LoraBatch batch = new LoraBatch(backend, rows, p -> headDim)) {
            LoraLinear.forward(backend, y, x, w, null, batch.at(0, Projection.Q));
        }
        return y.toFloats();
    }

    private float[] expected(Tensor x, List<List<Entry>> rows, int headDim) {
        float[] y = new float[(int) x.rows() * OUT];
        for (int i = 0; i < x.rows(); i++) {
            for (int o = 0; o < OUT; o++) {
                double sum = dot(x, i, w, (int) HeadRows.neighbour(o, headDim));
                for (Entry e : rows.get(i)) {
                    LoraWeights.Pair pair = e.adapter().at(0, Projection.Q);
                    for (int k = 0; k < pair.rank(); k++) {
                        sum += e.weight().at(i, 0, Projection.Q) * pair.scale() * dot(x, i, pair.a(), k) * pair.b().getFloat((long) o * pair.rank() + k);
                    }
                }
                y[i * OUT + (int) HeadRows.neighbour(o, headDim)] = (float) sum;
            }
        }
        return y;
    }

    private static double dot(Tensor x, int i, Tensor w, int o) {
        double sum = 0;
        for (int j = 0; j < IN; j++) {
            sum += (double) x.getFloat((long) i * IN + j) * w.getFloat((long) o * IN + j);
        }
        return sum;
    }

    @ParameterizedTest
    @MethodSource("backends")
    void mixesAdaptersRanksAndNone(String name) {
        try (Backend backend = HostTensors.open(name)) {
            Tensor x = normal(5, IN);
            Entry a = new Entry(small, Weight.constant(1));
            Entry b = new Entry(large, Weight.constant(-0.3f));
            Entry byRow = new Entry(large, (row, layer, projection) -> row * 0.25f);
            var rows = List.of(List.of(a), List.<Entry>of(), List.of(b, a), List.of(byRow), List.of(byRow));
            assertClose("plain", expected(x, rows, 0), run(backend, x, w, rows, 0), 1e-4, 1e-4);
            assertClose("interleaved", expected(x, rows, HEAD), run(backend, x, w, rows, HEAD), 1e-4, 1e-4);
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void rowsDoNotDependOnTheirBatch(String name) {
        try (Backend backend = HostTensors.open(name)) {
            Tensor x = normal(6, IN);
            Entry a = new Entry(small, Weight.constant(1));
            Entry b = new Entry(large, Weight.constant(0.7f));
            var rows = List.of(List.of(b, a), List.<Entry>of(), List.of(a), List.of(b), List.of(a, b), List.of(b, a));
            float[] together = run(backend, x, w, rows, 0);
            for (int i = 0; i < 6; i++) {
                float[] alone = run(backend, x.slice(i, i + 1), w, List.of(rows.get(i)), 0);
                assertArrayEquals(java.util.Arrays.copyOfRange(together, i * OUT, (i + 1) * OUT), alone, "row " + i);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void weightZeroLeavesTheBits(String name) {
        try (Backend backend = HostTensors.open(name)) {
            Tensor x = normal(3, IN);
            Tensor y = Tensor.ofFloats(new float[3 * OUT], 3, OUT);
            Linear.forward(backend, y, x, w, null);
            Entry off = new Entry(large, Weight.constant(0));
            assertArrayEquals(y.toFloats(), run(backend, x, w, List.of(List.of(off), List.of(), List.of(off)), 0));
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void refusesWhatDoesNotFit(String name) {
        try (Backend backend = HostTensors.open(name);
                LoraBatch batch = new LoraBatch(backend, List.of(List.of(new Entry(small, Weight.constant(1)))), p -> 0)) {
            assertNull(batch.at(1, Projection.Q));
            assertNull(batch.at(0, Projection.V));
            Tensor y = Tensor.ofFloats(new float[OUT], 1, OUT);
            assertThrows(IllegalArgumentException.class, () -> LoraLinear.forward(backend, y, normal(1, IN + 1), normal(OUT, IN + 1), null, batch.at(0, Projection.Q)));
            assertThrows(IllegalArgumentException.class, () -> LoraLinear.forward(backend, normal(2, OUT), normal(2, IN), w, null, batch.at(0, Projection.Q)));
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void mergingGivesTheAdaptedProduct(String name) {
        try (Backend backend = HostTensors.open(name)) {
            Tensor x = normal(2, IN);
            Tensor merged = normal(OUT, IN);
            LoraMerge.forward(merged, w, large.at(0, Projection.Q), 0.5f, HEAD);
            Tensor y = Tensor.ofFloats(new float[2 * OUT], 2, OUT);
            Linear.forward(backend, y, x, merged, null);
            Entry half = new Entry(large, Weight.constant(0.5f));
            assertClose("merged", run(backend, x, w, List.of(List.of(half), List.of(half)), HEAD), y.toFloats(), 1e-4, 1e-4);
        }
    }
}
