package dev.t2l.tensor;

import java.lang.foreign.MemorySegment;

/**
 * One allocation and its owner. Tensors carved from it borrow it; after {@link #close} their use throws.
 * Closing twice is harmless.
 */
public final class Memory implements AutoCloseable {
    private final MemorySegment segment;
    private Runnable release;

    /** @param release frees the memory and ends the segment's scope; called once */
    public Memory(MemorySegment segment, Runnable release) {
        this.segment = segment;
        this.release = release;
    }

    /** The memory; zero-length, with its address, on a device. */
    public MemorySegment segment() {
        return segment;
    }

    @Override
    public synchronized void close() {
        if (release != null) {
            Runnable once = release;
            release = null;
            once.run();
        }
    }
}
