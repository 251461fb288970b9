package dev.t2l.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

class HeadRowsTest {

    @Test
    void rowsOfEachHeadBecomeNeighbours() {
        Tensor rows = Tensor.ofFloats(new float[] {0, 1, 2, 3, 10, 11, 12, 13}, 8, 1);
        Tensor interleaved = HeadRows.interleave(Arena.ofAuto(), rows, 2);
        assertArrayEquals(new float[] {0, 2, 1, 3, 10, 12, 11, 13}, interleaved.toFloats());
        Tensor wide = Tensor.ofFloats(new float[] {0, 1, 2, 3, 4, 5}, 6, 1);
        assertArrayEquals(new float[] {0, 3, 1, 4, 2, 5}, HeadRows.interleave(Arena.ofAuto(), wide, 1).toFloats());
        assertArrayEquals(rows.toFloats(), HeadRows.deinterleave(Arena.ofAuto(), interleaved, 2).toFloats());
        assertThrows(IllegalArgumentException.class, () -> HeadRows.interleave(Arena.ofAuto(), wide, 2));
    }
}
