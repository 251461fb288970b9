package dev.t2l.model;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;

/**
 * A decoder's {@link DecodeSession}s: a generation borrows one and gives it back. Idle ones are kept, so that the next generation finds
 * memory and recorded steps ready, up to {@code -Dt2l.sessions.mib} MiB (default: 1024 on the host, an eighth of a GPU's memory); the
 * least recently used go first. Thread-safe.
 */
public final class DecodeSessions implements AutoCloseable {
    private final Decoder decoder;
    private final long bound;
    private final Deque<DecodeSession> idle = new ArrayDeque<>(); // least recently used first

    public DecodeSessions(Decoder decoder) {
        this(decoder, Long.getLong("t2l.sessions.mib", decoder.backend().idleBytes() >> 20) << 20);
    }

    /** @param bound bytes of idle sessions */
    DecodeSessions(Decoder decoder, long bound) {
        this.decoder = decoder;
        this.bound = bound;
    }

    public Decoder decoder() {
        return decoder;
    }

    /**
     * A session with room for so many sequences and positions.
     *
     * @param promptRows tokens of all prompts
     * @throws IllegalArgumentException if the model has fewer positions
     */
    DecodeSession borrow(int sequences, int positions, int promptRows) {
        int context = decoder.config().contextLength();
        if (positions > context) {
            throw new IllegalArgumentException("prompt and new tokens may need " + positions + " positions, the model has " + context
                    + "; shorten the prompt or ask for fewer tokens");
        }
        var size = DecodeSession.Size.of(decoder.backend(), sequences, positions, context);
        try {
            return ready(size, promptRows);
        } catch (RuntimeException | OutOfMemoryError e) {
            if (!close(0)) {
                throw e;
            }
            return ready(size, promptRows); // what idle ones had may be enough
        }
    }

    private DecodeSession ready(DecodeSession.Size size, int promptRows) {
        DecodeSession found = find(size);
        DecodeSession session = found == null ? new DecodeSession(decoder, size) : found;
        try {
            session.makeRoom(promptRows);
            return session;
        } catch (RuntimeException | Error e) {
            session.close();
            throw e;
        }
    }

    private synchronized DecodeSession find(DecodeSession.Size size) {
        for (Iterator<DecodeSession> newest = idle.descendingIterator(); newest.hasNext();) {
            DecodeSession session = newest.next();
            if (session.size().equals(size)) {
                newest.remove();
                return session;
            }
        }
        return null;
    }

    /** Takes back a session whose work is done. */
    void giveBack(DecodeSession session) {
        synchronized (this) {
            idle.addLast(session);
        }
        close(bound);
    }

    /** Closes idle sessions until they have at most {@code bytes}; whether there was one to close. */
    private synchronized boolean close(long bytes) {
        boolean any = false;
        while (!idle.isEmpty() && idleBytes() > bytes) {
            idle.removeFirst().close();
            any = true;
        }
        return any;
    }

    synchronized long idleBytes() {
        return idle.stream().mapToLong(DecodeSession::bytes).sum();
    }

    /** Closes all idle sessions; those that are given back later are kept again. */
    @Override
    public void close() {
        close(0);
    }
}
