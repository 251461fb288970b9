package dev.t2l.backend;

/**
 * Lets requests pass until its owner closes: from then on new ones are refused, those inside run to their end, and only then is
 * the owner's memory released. Closing twice is harmless.
 */
public final class Gate {
    private final String owner;
    private int inside;
    private boolean closed;
    private final ThreadLocal<Integer> depth = ThreadLocal.withInitial(() -> 0);

    /** @param owner what is refused after closing, for the message */
    public Gate(String owner) {
        this.owner = owner;
    }

    /**
     * Enters; every call is followed by one of {@link #leave} in a finally block.
     *
     * @throws IllegalStateException if the owner is closed
     */
    public synchronized void enter() {
        if (closed) {
            throw new IllegalStateException(owner + " is closed");
        }
        inside++;
        depth.set(depth.get() + 1);
    }

    public synchronized void leave() {
        inside--;
        int left = depth.get() - 1;
        if (left == 0) {
            depth.remove();
        } else {
            depth.set(left);
        }
        notifyAll();
    }

    /**
     * Refuses new requests, waits for those inside, then releases.
     *
     * @throws IllegalStateException if called from within a request, which would wait for itself
     */
    public synchronized void close(Runnable release) {
        if (depth.get() > 0) {
            throw new IllegalStateException(owner + " cannot be closed from within a request that it is running");
        }
        depth.remove();
        boolean first = !closed;
        closed = true;
        boolean interrupted = false;
        while (inside > 0) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (first) {
            release.run();
        }
    }
}
