package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.t2l.backend.Backend;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlacedFactorsTest {
    /** Of five tasks as they come, whether there is room for all of them or for one at a time. */
    @ParameterizedTest
    @CsvSource({"1048576, 20", "1, 4"})
    void eachTaskHasItsOwn(long most, int tensors) {
        OracleLibrary library = ReconstructionTest.library();
        try (Backend backend = Backend.open("java"); var placed = new PlacedFactors(library, backend, most)) {
            for (int task : new int[] {0, 3, 3, 0, 4, 3}) {
                placed.of(task).forEach((name, factor) -> assertArrayEquals(library.factors(task).get(name).toFloats(), factor.toFloats(), name));
            }
            assertEquals(tensors, placed.tensors());
        }
    }
}
