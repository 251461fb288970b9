package dev.t2l.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Placement;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PlacedAdaptersTest {
    private int copies; // that were made and not freed

    /** A backend whose placements copy, and count. */
    private Backend counting() {
        return (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (_, method, _) -> {
            if (!method.getName().equals("placement")) {
                throw new AssertionError(method);
            }
            return new Placement() {
                private int mine;

                @Override
                public Tensor place(Tensor host) {
                    mine++;
                    copies++;
                    return host.reshape(host.shape());
                }

                @Override
                public void close() {
                    copies -= mine;
                    mine = 0;
                }
            };
        });
    }

    private static List<LoraBatch.Entry> adapter(Arena arena) {
        var pair = new Pair(Tensor.allocate(arena, DType.F32, 2, 4), Tensor.allocate(arena, DType.F32, 4, 2), 1);
        return List.of(new LoraBatch.Entry(new LoraWeights(Map.of(new Site(0, Projection.Q), pair)), LoraBatch.Weight.constant(1)));
    }

    @Test
    void copiesGoWithTheListsThatNeededThem() {
        try (Arena arena = Arena.ofConfined(); var placed = new PlacedAdapters(counting())) {
            List<LoraBatch.Entry> one = adapter(arena);
            List<LoraBatch.Entry> two = adapter(arena);
            List<LoraBatch.Entry> both = List.of(one.getFirst(), two.getFirst());
            List<LoraBatch.Entry> first = placed.entries(one);
            assertSame(first, placed.entries(one));
            List<LoraBatch.Entry> pair = placed.entries(both);
            assertSame(first.getFirst().adapter(), pair.getFirst().adapter(), "copied once");
            assertEquals(4, copies);
            placed.retain(List.of(pair));
            assertEquals(4, copies, "the pair needs both");
            assertEquals(1, placed.size());
            assertNotSame(first, placed.entries(one));
            for (int i = 0; i < 100; i++) {
                placed.retain(List.of(placed.entries(adapter(arena))));
                assertEquals(2, copies);
                assertEquals(1, placed.size());
            }
        }
        assertEquals(0, copies);
    }
}
