package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Rows that choose among adapters. Lists of none, fewer and more than are chosen; more than a warp's 32 entries; rows that do not choose
 * between others that do; lengths with and without a remainder of vectors.
 */
@Tag("cuda")
class RouteTest {
    private static final int ROWS = 19;

    private final KernelData data = new KernelData();

    /** Row i has a list of i of the adapters, in an order of its own; every fifth does not choose. */
    private LoraRows rows(long in, int adapters, int perRow) {
        List<Tensor> prototypes = Stream.generate(() -> data.normal(in)).limit(adapters).toList();
        Tensor slots = data.ints(-1, 0, ROWS, perRow);
        Tensor choices = KernelData.zeros(ROWS, 2);
        for (int i = 0; i < ROWS; i++) {
            for (int s = 0; s < Math.min(perRow, 3 * i); s++) {
                slots.setInt((long) i * perRow + s, (7 * s + i) % adapters);
            }
            choices.setFloat(2L * i, i % 5 == 0 ? 0 : 1 + i % 4);
            choices.setFloat(2L * i + 1, 0.5f + i);
        }
        return of(prototypes, slots, data.normal(ROWS, perRow), choices, KernelData.zeros(ROWS, perRow));
    }

    private static LoraRows of(List<Tensor> prototypes, Tensor slots, Tensor given, Tensor choices, Tensor weights) {
        return new LoraRows(List.of(), Tensor.ofInts(new int[0], 0), slots, weights, 0, new LoraRows.Routing(prototypes, KernelData.pointers(prototypes), given, choices));
    }

    private static LoraRows writing(LoraRows rows, Tensor weights) {
        LoraRows.Routing routing = rows.routing();
        return of(routing.prototypes(), rows.slots(), routing.given(), routing.choices(), weights);
    }

    /** Scores 4, 3, 3, 1 of x = (1, -2): two are chosen, the first of the equal ones. */
    @Test
    void byHand() {
        List<Tensor> prototypes = new ArrayList<>();
        for (float[] prototype : new float[][] {{1, 0}, {-1, 1}, {0, 2}, {1, 2}}) {
            prototypes.add(Tensor.ofFloats(prototype, 2));
        }
        Tensor slots = Tensor.ofInts(new int[] {0, 1, 3, 2, -1}, 1, 5);
        LoraRows rows = of(prototypes, slots, Tensor.ofFloats(new float[] {1, 10, 1, 1, 1}, 1, 5), Tensor.ofFloats(new float[] {2, 0.5f}, 1, 2), KernelData.zeros(1, 5));
        try (Backend java = new JavaBackend()) {
            java.route(Tensor.ofFloats(new float[] {1, -2}, 1, 2), rows);
        }
        double best = 1 / (1 + Math.exp(-2)); // of 4 and 3 at temperature 1/2
        assertArrayEquals(new float[] {0, (float) (10 * (1 - best)), 0, (float) best, 0}, rows.weights().toFloats(), 1e-6f);
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void asTheOracle(Target target) {
        for (int[] shape : new int[][] {{64, 50, 60}, {301, 3, 7}, {5, 1, 1}}) {
            LoraRows rows = rows(shape[0], shape[1], shape[2]);
            Tensor x = data.normal(ROWS, shape[0]);
            KernelData.compare(target, rows.weights(), 1e-3, (b, weights) -> b.route(x, writing(rows, weights)));
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void rowsDoNotDependOnBatchOrThreads(Target target) {
        LoraRows all = rows(300, 50, 60);
        Tensor x = data.normal(ROWS, 300);
        try (Backend one = target.open(1); Backend more = target.open(4)) {
            one.route(x, all);
            for (int i = 0; i < ROWS; i++) {
                LoraRows.Routing routing = all.routing();
                LoraRows alone = of(routing.prototypes(), all.slots().slice(i, i + 1), routing.given().slice(i, i + 1), routing.choices().slice(i, i + 1), KernelData.zeros(1, 60));
                more.route(x.slice(i, i + 1), alone);
                assertArrayEquals(all.weights().slice(i, i + 1).toFloats(), alone.weights().toFloats(), "row " + i);
            }
            LoraRows again = writing(all, KernelData.zeros(ROWS, 60));
            more.route(x, again);
            assertArrayEquals(all.weights().toFloats(), again.weights().toFloats());
        }
        int chosen = 0;
        for (int s = 0; s < 60; s++) {
            chosen += all.weights().getFloat(18 * 60 + s) != 0 ? 1 : 0;
        }
        assertEquals(3, chosen, "of row 18's 54");
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void refusesASlotOutsideTheTable(Target target) {
        LoraRows rows = rows(8, 3, 4);
        rows.slots().setInt(7 * 4, 3);
        try (Backend other = target.open(1)) {
            assertThrows(IndexOutOfBoundsException.class, () -> other.route(data.normal(ROWS, 8), rows));
        }
    }
}
