package dev.t2l.bench;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;

/**
 * Empties caches between runs: it reads a matrix larger than they are, and writes next to nothing. A model of {@link #LARGE} bytes or more
 * empties them by itself.
 */
final class Eviction implements AutoCloseable {
    private static final long LARGE = 256 << 20;
    private static final long COLUMNS = 4096;
    private static final long ROWS = LARGE / 4 / COLUMNS;

    private final Backend backend;
    private Memory memory;
    private Tensor w;
    private Tensor x;
    private Tensor y;

    Eviction(Backend backend) {
        this.backend = backend;
    }

    /** What to run before each run of a model of so many bytes. */
    Runnable before(long bytes) {
        if (bytes >= LARGE) {
            return () -> { };
        }
        if (memory == null) {
            memory = backend.allocate(LARGE + 4 * (COLUMNS + ROWS));
            Tensor all = Tensor.of(DType.F32, memory.segment(), ROWS * COLUMNS + COLUMNS + ROWS);
            w = all.slice(0, ROWS * COLUMNS).reshape(ROWS, COLUMNS);
            x = all.slice(ROWS * COLUMNS, (ROWS + 1) * COLUMNS).reshape(1, COLUMNS);
            y = all.slice((ROWS + 1) * COLUMNS, (ROWS + 1) * COLUMNS + ROWS).reshape(1, ROWS);
        }
        return () -> {
            backend.decoding().linear(y, x, w, null);
            backend.await();
        };
    }

    @Override
    public void close() {
        if (memory != null) {
            memory.close();
        }
    }
}
