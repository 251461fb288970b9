package dev.t2l.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.t2l.backend.JavaBackend;
import dev.t2l.backend.LoraRows;
import dev.t2l.ops.LoraBatch.Entry;
import dev.t2l.ops.LoraBatch.Weight;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The tables that kernels read: which adapters act on which row, where, how strongly. */
class LoraBatchTest {
    private final JavaBackend backend = new JavaBackend();
    private final LoraWeights q = adapter(1, Projection.Q);
    private final LoraWeights qv = adapter(2, Projection.Q, Projection.V);

    private static LoraWeights adapter(int layers, Projection... projections) {
        Map<LoraWeights.Site, LoraWeights.Pair> pairs = new HashMap<>();
        for (int layer = 0; layer < layers; layer++) {
            for (Projection projection : projections) {
                pairs.put(new LoraWeights.Site(layer, projection), new LoraWeights.Pair(Tensor.ofFloats(new float[4], 1, 4), Tensor.ofFloats(new float[4], 4, 1), 2));
            }
        }
        return new LoraWeights(pairs);
    }

    private static List<Integer> slots(LoraRows rows) {
        var slots = new ArrayList<Integer>();
        for (int i = 0; i < rows.slots().elements(); i++) {
            slots.add(rows.slots().getInt(i));
        }
        return slots;
    }

    @Test
    void listsTheAdaptersOfEachRowInTheirOrder() {
        Entry strong = new Entry(q, Weight.constant(3));
        Entry byPlace = new Entry(qv, (row, layer, projection) -> 100 * row + 10 * layer + projection.ordinal());
        try (var batch = new LoraBatch(backend, List.of(List.of(strong, byPlace), List.of(), List.of(byPlace), List.of(byPlace, strong)), p -> p == Projection.Q ? 8 : 0)) {
            LoraRows first = batch.at(0, Projection.Q);
            assertEquals(List.of(0, 1, -1, -1, 1, -1, 1, 0), slots(first));
            assertEquals(List.of(q.at(0, Projection.Q).a(), qv.at(0, Projection.Q).a()), first.factors().stream().map(LoraRows.Factor::a).toList());
            assertEquals(3, first.weights().getFloat(0));
            assertEquals(200 + Projection.Q.ordinal(), first.weights().getFloat(4));
            assertEquals(8, first.headDim());

            LoraRows second = batch.at(1, Projection.V);
            assertEquals(List.of(0, -1, -1, -1, 0, -1, 0, -1), slots(second), "only one of them acts there");
            assertEquals(300 + 10 + Projection.V.ordinal(), second.weights().getFloat(6));
            assertEquals(0, second.headDim());

            assertNull(batch.at(0, Projection.DOWN));
            assertNull(batch.at(2, Projection.Q));
        }
    }

    @Test
    void theSameAdapterTwiceOnARowIsListedTwice() {
        Entry half = new Entry(q, Weight.constant(0.5f));
        try (var batch = new LoraBatch(backend, List.of(List.of(half, half)), p -> 0)) {
            assertEquals(List.of(0, 0), slots(batch.at(0, Projection.Q)));
            assertEquals(1, batch.at(0, Projection.Q).factors().size());
        }
    }

    @Test
    void withoutAdaptersNothingActs() {
        try (var batch = new LoraBatch(backend, Arrays.asList(List.of(), List.of()), p -> 0)) {
            assertNull(batch.at(0, Projection.Q));
        }
    }

    @Test
    void useAfterCloseThrows() {
        var batch = new LoraBatch(backend, List.of(List.of(new Entry(q, Weight.constant(1)))), p -> 0);
        LoraRows rows = batch.at(0, Projection.Q);
        batch.close();
        batch.close();
        assertThrows(IllegalStateException.class, () -> rows.slots().address());
    }
}
