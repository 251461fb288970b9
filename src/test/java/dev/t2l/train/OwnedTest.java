package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import dev.t2l.backend.ReplayingBackend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.TensorTable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class OwnedTest {
    @Test
    void newestFirstAndWhenTheRestFails() {
        List<String> closed = new ArrayList<>();
        var owned = new Owned();
        owned.add(() -> () -> closed.add("first"));
        owned.add(() -> () -> closed.add("second"));
        assertThrows(IllegalStateException.class, () -> owned.run(() -> {
            throw new IllegalStateException();
        }));
        assertEquals(List.of("second", "first"), closed);
        owned.close();
        assertEquals(2, closed.size());
    }

    @Test
    void closingGoesOnBehindAFailure() {
        List<String> closed = new ArrayList<>();
        var owned = new Owned();
        owned.add(() -> () -> closed.add("first"));
        owned.add(() -> () -> {
            throw new IOException("second");
        });
        owned.add(() -> () -> {
            throw new IllegalStateException("third");
        });
        IllegalStateException failed = assertThrows(IllegalStateException.class, owned::close);
        assertEquals("third", failed.getMessage());
        assertEquals("second", failed.getSuppressed()[0].getMessage());
        assertEquals(List.of("first"), closed);
    }

    @Test
    void parametersThatDoNotFitLeaveNothing() {
        TensorTable table = new TensorTable().add("one", DType.F32, 1000);
        for (int fit = 0; fit < 4; fit++) {
            var counting = new ReplayingBackend(Backend.open("java"));
            counting.limit(table.bytes() * fit + 100);
            assertTrue(assertThrows(IllegalStateException.class, () -> new Parameters(counting.backend(), table)).getMessage().contains("no room"));
            assertEquals(0, counting.allocated());
        }
    }
}
