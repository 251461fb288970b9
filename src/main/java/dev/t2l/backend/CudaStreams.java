package dev.t2l.backend;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * The device's streams: the main one, which every thread works on that has no lane, and those of lanes, of which up to {@value #KEPT}
 * are kept for the next.
 *
 * <p>A lane begins behind everything that the main stream has by then, and when it closes, the main stream waits for it. So what one
 * lane made is seen by the main stream and by every lane that is opened later. The waiting is the device's; the host goes on.
 */
final class CudaStreams {
    private static final int KEPT = 32;
    /** A lane within a lane. */
    private static final Lane WITHIN = () -> { };

    private final CudaDevice device;
    private final CudaStream main;
    private final ThreadLocal<CudaStream> own = new ThreadLocal<>();
    private final Deque<CudaStream> idle = new ArrayDeque<>();

    CudaStreams(CudaDevice device) {
        this.device = device;
        this.main = new CudaStream(device);
    }

    /** What all threads without a lane work on. */
    CudaStream main() {
        return main;
    }

    /** What the calling thread works on. */
    CudaStream current() {
        CudaStream stream = own.get();
        return stream == null ? main : stream;
    }

    /** {@link Backend#lane}. */
    Lane open() {
        if (own.get() != null) {
            return WITHIN;
        }
        CudaStream stream = take();
        try {
            stream.order(main, stream);
        } catch (RuntimeException e) {
            putBack(stream);
            throw e;
        }
        own.set(stream);
        return new Open(stream);
    }

    private CudaStream take() {
        synchronized (idle) {
            if (!idle.isEmpty()) {
                return idle.pop();
            }
        }
        return new CudaStream(device);
    }

    private void putBack(CudaStream stream) {
        synchronized (idle) {
            if (idle.size() < KEPT) {
                idle.push(stream);
                return;
            }
        }
        stream.destroy();
    }

    private final class Open implements Lane {
        private CudaStream stream;

        Open(CudaStream stream) {
            this.stream = stream;
        }

        @Override
        public void close() {
            if (stream == null) {
                return;
            }
            if (own.get() != stream) {
                throw new IllegalStateException("a lane is closed by the thread that opened it");
            }
            if (stream.recording()) {
                throw new IllegalStateException("a lane cannot be closed from within a recording that runs on it");
            }
            CudaStream closed = stream;
            stream = null;
            own.remove();
            try {
                closed.order(closed, main);
            } finally {
                putBack(closed);
            }
        }
    }
}
