package dev.t2l.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** One allocation, carved by a table, and its owner. */
class WeightsTest {
    private final AtomicInteger released = new AtomicInteger();

    private Memory allocate(long bytes) {
        Arena arena = Arena.ofShared();
        return new Memory(arena.allocate(bytes, 64), () -> {
            released.incrementAndGet();
            arena.close();
        });
    }

    @Test
    void aTableIsKnownBeforeAnythingIsAllocated() {
        var table = new TensorTable().add("a", DType.F32, 3, 5).add("b", DType.Q4_0, 1024, 1024).add("scalar", DType.I32);
        long b = 1024L * 1024 / 32 * 18;
        assertEquals(64 + b + 64, table.bytes(), "each on 64 bytes");
        List<String> lines = table.toString().lines().toList();
        assertEquals(4, lines.size());
        assertTrue(lines.get(1).matches("b\\s+Q4_0\\s+\\[1024, 1024]\\s+0\\.563 MiB"), lines.get(1));
        assertTrue(lines.getLast().matches("total\\s+0\\.563 MiB"), lines.getLast());
        assertThrows(ArithmeticException.class, () -> table.add("huge", DType.F32, 1L << 40, 1L << 40));
    }

    @Test
    void carvingGivesEachItsPlace() {
        AtomicInteger allocations = new AtomicInteger();
        Weights weights = new TensorTable().add("z", DType.F32, 3, 5).add("a", DType.F32, 2).add("empty", DType.F32, 0).carve(bytes -> {
            allocations.incrementAndGet();
            return allocate(bytes);
        });
        assertEquals(1, allocations.get());
        assertEquals(List.of("z", "a", "empty"), List.copyOf(weights.tensors().keySet()), "in the table's order");
        assertEquals(64, weights.get("a").address() - weights.get("z").address());
        weights.get("z").setFloat(14, 7);
        assertEquals(0, weights.get("a").getFloat(0));
        assertThrows(IndexOutOfBoundsException.class, () -> weights.get("z").getFloat(15), "not into its neighbour");
        assertEquals(60 + 8, weights.bytes());
        assertTrue(weights.has("a"));
        assertFalse(weights.has("b"));
        String message = assertThrows(IllegalArgumentException.class, () -> weights.get("b")).getMessage();
        assertEquals("no tensor 'b' among 3 (first: [z, a, empty])", message);
        weights.close();
        weights.close();
        assertEquals(1, released.get());
        assertThrows(IllegalStateException.class, () -> weights.get("a").address());
    }

    @Test
    void nothingIsAllocationEnough() {
        try (Weights weights = new TensorTable().carve(this::allocate)) {
            assertEquals(0, weights.bytes());
        }
        assertEquals(1, released.get());
    }

    @Test
    void memoryIsFreedOnce() throws InterruptedException {
        Memory memory = allocate(10);
        assertEquals(10, memory.segment().byteSize());
        Thread[] closers = new Thread[8];
        for (int i = 0; i < closers.length; i++) {
            closers[i] = Thread.startVirtualThread(memory::close);
        }
        for (Thread closer : closers) {
            closer.join();
        }
        assertEquals(1, released.get());
        assertFalse(memory.segment().scope().isAlive());
    }
}
