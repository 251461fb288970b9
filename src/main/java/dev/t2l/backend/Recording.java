package dev.t2l.backend;

/** Work that runs again and again on the same tensors ({@link Backend#record}). Not thread-safe. */
public interface Recording extends AutoCloseable {
    /** Hands the work over once more. */
    void run();

    /** Gives up what a replay needs; harmless when called twice. */
    @Override
    void close();
}
