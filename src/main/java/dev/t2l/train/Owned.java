package dev.t2l.train;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Supplier;

/** What somebody made and has to close, the newest first; also when making the rest fails. Closing it twice is harmless. */
final class Owned implements AutoCloseable {
    private final Deque<AutoCloseable> made = new ArrayDeque<>();

    /** Makes one thing more; what was made before is closed if that fails. */
    <T extends AutoCloseable> T add(Supplier<T> make) {
        try {
            T one = make.get();
            made.push(one);
            return one;
        } catch (RuntimeException | Error e) {
            try {
                close();
            } catch (RuntimeException | Error second) {
                if (second != e) {
                    e.addSuppressed(second);
                }
            }
            throw e;
        }
    }

    /** Does something with what was made, which is closed if that fails. */
    void run(Runnable work) {
        add(() -> {
            work.run();
            return () -> { };
        });
    }

    /** Closes all of them, also where closing one fails; then throws the first failure. */
    @Override
    public void close() {
        RuntimeException failed = null;
        while (!made.isEmpty()) {
            try {
                made.pop().close();
            } catch (Exception e) {
                if (failed == null) {
                    failed = e instanceof RuntimeException unchecked ? unchecked : new IllegalStateException(e);
                } else {
                    failed.addSuppressed(e);
                }
            }
        }
        if (failed != null) {
            throw failed;
        }
    }
}
