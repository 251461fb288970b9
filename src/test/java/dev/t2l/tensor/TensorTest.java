package dev.t2l.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TensorTest {
    private static Tensor counted(long... shape) {
        float[] values = new float[(int) Tensor.elements(shape)];
        for (int i = 0; i < values.length; i++) {
            values[i] = i;
        }
        return Tensor.ofFloats(values, shape);
    }

    @Test
    void hasAShape() {
        Tensor t = counted(2, 3, 4);
        assertEquals("F32[2, 3, 4]", t.toString());
        assertEquals(3, t.rank());
        assertEquals(4, t.dim(-1));
        assertEquals(2, t.dim(0));
        assertEquals(6, t.rows());
        assertEquals(4, t.cols());
        assertEquals(24, t.elements());
        assertEquals(96, t.bytes());
        t.shape()[0] = 99;
        assertEquals(2, t.dim(0), "the shape handed out is a copy");
        Tensor scalar = counted();
        assertEquals(1, scalar.elements());
        assertEquals(1, scalar.rows());
        Tensor empty = counted(3, 0);
        assertEquals(0, empty.elements());
        assertEquals(0, empty.rows());
    }

    @Test
    void viewsShareTheMemory() {
        Tensor t = counted(4, 3);
        Tensor middle = t.slice(1, 3);
        assertArrayEquals(new float[] {3, 4, 5, 6, 7, 8}, middle.toFloats());
        middle.setFloat(0, -1);
        assertEquals(-1, t.getFloat(3));
        assertArrayEquals(new float[] {9, 10, 11}, t.get(3).toFloats());
        assertEquals(1, t.get(3).rank());
        assertEquals("F32[2, 6]", t.reshape(2, 6).toString());
        assertArrayEquals(new float[] {0, 1}, t.prefix(1, 2).toFloats());
        assertEquals(0, t.slice(4, 4).elements());
    }

    @Test
    void refusesWhatDoesNotFit() {
        Tensor t = counted(4, 3);
        assertThrows(IllegalArgumentException.class, () -> t.reshape(5, 3));
        assertThrows(IllegalArgumentException.class, () -> t.prefix(5, 3));
        assertThrows(IndexOutOfBoundsException.class, () -> t.slice(3, 5));
        assertThrows(IndexOutOfBoundsException.class, () -> t.slice(-1, 2));
        assertThrows(IndexOutOfBoundsException.class, () -> t.slice(3, 2));
        assertThrows(IndexOutOfBoundsException.class, () -> t.get(4));
        assertThrows(IndexOutOfBoundsException.class, () -> t.getFloat(12));
        assertThrows(IllegalArgumentException.class, () -> Tensor.ofFloats(new float[5], 2, 3));
        assertThrows(IllegalArgumentException.class, () -> Tensor.of(DType.F32, t.data(), 5, 3));
        assertThrows(IllegalArgumentException.class, () -> Tensor.elements(2, -1));
        assertThrows(ArithmeticException.class, () -> Tensor.elements(1L << 40, 1L << 40));
    }

    @Test
    void aQuantisedRowIsWholeBlocks() {
        try (Arena arena = Arena.ofConfined()) {
            Tensor t = Tensor.allocate(arena, DType.Q8_0, 3, 64);
            assertEquals(3 * 2 * 34, t.bytes());
            assertEquals(34 * 2, t.slice(1, 2).data().address() - t.data().address());
            String message = assertThrows(IllegalArgumentException.class, () -> Tensor.allocate(arena, DType.Q8_0, 2, 48)).getMessage();
            assertTrue(message.contains("blocks of 32"), message);
        }
    }

    @Test
    void useAfterCloseThrows() {
        Arena arena = Arena.ofShared();
        Tensor t = Tensor.allocate(arena, DType.F32, 2, 2);
        assertEquals(0, t.address() % 64);
        arena.close();
        String message = assertThrows(IllegalStateException.class, t::address).getMessage();
        assertTrue(message.contains("use after close") && message.contains("F32[2, 2]"), message);
        assertThrows(IllegalStateException.class, () -> t.getFloat(0));
        assertThrows(IllegalStateException.class, () -> t.get(0).address());
    }

    /** A device's memory is an address; the host must not read it, and views move the address. */
    @Test
    void aDeviceTensorIsOnlyAnAddress() {
        Tensor t = Tensor.of(DType.F32, MemorySegment.ofAddress(0x1000), 4, 3);
        assertEquals(0x1000 + 24, t.slice(2, 4).address());
        assertEquals(0x1000 + 24, t.get(2).reshape(3, 1).address());
        assertThrows(IndexOutOfBoundsException.class, () -> t.getFloat(0));
        assertThrows(IndexOutOfBoundsException.class, () -> t.slice(2, 4).getFloat(0));
    }

    @Test
    void integersToo() {
        Tensor t = Tensor.ofInts(IntStream.range(0, 6).toArray(), 2, 3);
        t.setInt(1, -7);
        assertEquals(-7, t.get(0).getInt(1));
        assertEquals(5, t.getInt(5));
    }
}
