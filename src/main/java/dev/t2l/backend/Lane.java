package dev.t2l.backend;

/**
 * A queue of a device's work that belongs to one thread ({@link Backend#lane}). Closing it, by the thread that opened it, hands
 * its results to everybody: work handed over afterwards, in any queue, comes after it.
 */
@FunctionalInterface
public interface Lane extends AutoCloseable {
    @Override
    void close();
}
