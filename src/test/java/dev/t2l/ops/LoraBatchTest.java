package dev.t2l.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.t2l.backend.JavaBackend;
import dev.t2l.backend.LoraRows;
import dev.t2l.ops.LoraBatch.Entry;
import dev.t2l.ops.LoraBatch.Weight;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
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

    private static List<Entry> on(LoraWeights... adapters) {
        return Arrays.stream(adapters).map(adapter -> new Entry(adapter, Weight.constant(1))).toList();
    }

    @Test
    void tablesAreFilledAgainInPlace() {
        LoraShape shape = LoraShape.of(List.of(on(qv, q), on(q))).rounded();
        assertEquals(new LoraShape(Set.of(new Site(0, Projection.Q), new Site(1, Projection.Q), new Site(0, Projection.V), new Site(1, Projection.V)), 4, 2, 8, false, false), shape);
        try (var batch = new LoraBatch(backend, shape, 3, p -> 0)) {
            LoraRows first = batch.at(0, Projection.Q);
            LoraRows second = batch.at(1, Projection.V);
            batch.fill(List.of(on(q, qv), List.of(), on(qv)));
            assertEquals(List.of(0, 1, -1, -1, 1, -1), slots(first));
            assertEquals(List.of(0, -1, -1, -1, 0, -1), slots(second));
            assertEquals(q.at(0, Projection.Q).b().address(), first.table().data().get(ValueLayout.JAVA_LONG_UNALIGNED, 8));

            batch.fill(List.of(on(qv), on(qv)));
            assertSame(first, batch.at(0, Projection.Q));
            assertEquals(List.of(0, -1, 0, -1, -1, -1), slots(first), "the third row has none any more");
            assertEquals(qv.at(0, Projection.Q).a(), first.factors().getFirst().a());
            assertEquals(qv.at(0, Projection.Q).b().address(), first.table().data().get(ValueLayout.JAVA_LONG_UNALIGNED, 8));

            batch.fill(List.of(on(q)));
            assertEquals(List.of(-1, -1, -1, -1, -1, -1), slots(second), "it does not act there");
            for (LoraRows rows : List.of(first, second)) {
                assertEquals(4, rows.factors().size());
                assertEquals(8, rows.factors().stream().mapToInt(LoraRows.Factor::rank).max().orElseThrow(), "what launches depend on stays");
            }
        }
    }

    @Test
    void listsThatAreAlikeEverywhereAreKeptOnce() {
        List<List<Entry>> rows = List.of(on(qv, q(2)), on(qv));
        assertFalse(LoraShape.of(rows).alike(), "one acts on fewer projections");
        assertFalse(LoraShape.of(List.of(List.of(new Entry(qv, (row, _, _) -> row)))).alike(), "a weight may differ");
        try (var batch = new LoraBatch(backend, List.of(on(qv), List.of(), on(qv, qv)), p -> 0)) {
            assertSame(batch.at(0, Projection.Q).slots(), batch.at(1, Projection.V).slots());
            assertEquals(List.of(0, -1, -1, -1, 0, 0), slots(batch.at(1, Projection.V)));
            assertSame(qv.at(1, Projection.V).a(), batch.at(1, Projection.V).factors().getFirst().a());
        }
    }

    private static LoraWeights q(int layers) {
        return adapter(layers, Projection.Q);
    }

    @Test
    void whatThereIsNoRoomForIsRefused() {
        try (var batch = new LoraBatch(backend, LoraShape.of(List.of(on(q), on(qv))), 2, p -> 0)) {
            assertThrows(IllegalArgumentException.class, () -> batch.fill(List.of(on(q), on(q), on(q))), "rows");
            assertThrows(IllegalArgumentException.class, () -> batch.fill(List.of(on(q, qv))), "a longer list");
            assertThrows(IllegalArgumentException.class, () -> batch.fill(List.of(on(q), on(adapter(1, Projection.DOWN)))), "another projection");
        }
        try (var alike = new LoraBatch(backend, LoraShape.of(List.of(on(qv))), 2, p -> 0)) {
            assertThrows(IllegalArgumentException.class, () -> alike.fill(List.of(on(q))), "not at all places");
            assertThrows(IllegalArgumentException.class, () -> alike.fill(List.of(List.of(new Entry(qv, (row, _, _) -> row)))), "not alike");
            alike.fill(List.of());
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
