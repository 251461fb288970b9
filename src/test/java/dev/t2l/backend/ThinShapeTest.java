package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.DType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * How products for few rows are cut, for devices of the three sizes of shared memory that there are (compute capability 9.0, 8.0, and 8.6),
 * every type, and inputs from one block to the widest of large models.
 */
class ThinShapeTest {
    private static final DType[] TYPES = {DType.F16, DType.BF16, DType.Q4_0, DType.Q4_1, DType.Q8_0, DType.Q4_K, DType.Q6_K};

    private static ThinShape shape(DType type, long rows, long in, long out, int multiprocessors, int shared) {
        var work = new ThinShape.Work(rows, in, type.bytes(in), CudaLinear.ceil(out, 16), CudaLinear.ceil(out, 32));
        return ThinShape.choose(ThinKernel.of(KernelTypes.code(type)), work, multiprocessors, shared);
    }

    @ParameterizedTest
    @CsvSource({"132, 232448", "108, 166912", "84, 101376"})
    void everyProductHasAShape(int multiprocessors, int shared) {
        for (DType type : TYPES) {
            for (long in : new long[] {256, 768, 4096, 14336, 53248}) {
                for (long out : new long[] {1, 576, 4096, 152064}) {
                    for (int rows = 1; rows < 20; rows++) {
                        ThinShape s = shape(type, rows, in, out, multiprocessors, shared);
                        String what = type + " " + rows + " rows, " + out + " x " + in + ": " + s;
                        assertNotNull(s, what);
                        assertTrue(s.group() <= s.kernel().rows() && (long) s.group() * s.groups() >= rows && (s.groups() - 1L) * s.group() < rows, what);
                        assertTrue(s.stages() >= 2 && s.stages() <= ThinKernel.MOST_STAGES, what);
                        assertTrue(s.panel() > 0 && s.panel() % s.kernel().panelUnit() == 0, what);
                        assertEquals(s.kernel().sharedBytes(s.group(), in, s.panel(), s.stages()), s.sharedBytes(), what);
                        assertTrue(s.sharedBytes() <= shared, what);
                        assertTrue(s.blocks() >= 1 && s.blocks() <= CudaLinear.ceil(out, 16), what);
                    }
                }
            }
        }
    }

    /** Sizes as {@code thin_room} of cuda/thin.cuh gives them. */
    @ParameterizedTest
    @CsvSource({"Q4_K, 0, 1, 4096, 4096, 3, 97472", "Q6_K, 1, 8, 4096, 2048, 2, 149312", "BF16, 2, 5, 576, 1024, 4, 170192", "Q8_0, 0, 3, 14336, 4096, 5, 168864"})
    void sharedMemoryIsThatOfTheKernel(DType type, int kernel, int rows, int in, int panel, int stages, int bytes) {
        assertEquals(bytes, ThinKernel.of(KernelTypes.code(type))[kernel].sharedBytes(rows, in, panel, stages));
    }

    /** A 7B model's products on a device of 132 multiprocessors: one row leaves half of the memory, wide inputs of many rows are laid out once. */
    @ParameterizedTest
    @CsvSource({"1, 4096, 6144, true, true, 1", "1, 14336, 4096, true, false, 1", "8, 4096, 6144, true, false, 1", "8, 14336, 4096, false, false, 2"})
    void shapesOfALargeModel(int rows, int in, int out, boolean whole, boolean half, int tiles) {
        ThinShape s = shape(DType.Q4_K, rows, in, out, 132, 232448);
        assertEquals(whole, s.panel() >= in, s.toString());
        assertEquals(half, s.sharedBytes() <= (232448 - 1024) / 2, s.toString());
        assertEquals(tiles, s.kernel().tiles(), s.toString());
        assertEquals(rows, s.group());
    }
}
