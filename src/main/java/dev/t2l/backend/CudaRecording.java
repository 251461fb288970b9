package dev.t2l.backend;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Work as a graph of the device. The first run does the work call by call, which loads kernels and lets the scratch memory grow; the
 * second captures the same calls and launches the graph that they make; each later one is a single launch, and allocates nothing.
 *
 * <p>A graph holds the addresses of tensors, not their owners: close the recording before their memory. Its scratch memory is its own.
 * Runs come one after another on the device only as far as their lanes do: see {@link Backend#lane}.
 */
final class CudaRecording implements Recording {
    /** {@code -Dt2l.cuda.graphs=false} runs all work call by call; so does {@code -Dt2l.cuda.check=true}, which waits for each. */
    static final boolean ENABLED = Boolean.parseBoolean(System.getProperty("t2l.cuda.graphs", "true")) && !Boolean.getBoolean("t2l.cuda.check");

    private final CudaDevice device;
    private final Runnable open;
    private final Runnable work;
    private final CudaScratch scratch;
    private boolean rehearsed;
    private boolean closed;
    private long graph;

    /** @param open throws if the backend was closed */
    CudaRecording(CudaDevice device, Runnable open, Runnable work) {
        this.device = device;
        this.open = open;
        this.work = work;
        this.scratch = new CudaScratch(device);
    }

    @Override
    public void run() {
        if (closed) {
            throw new IllegalStateException("the recording was closed");
        }
        open.run();
        device.refuseInRecording("running another recording");
        if (graph == 0) {
            prepare();
        } else {
            launch();
        }
    }

    private void prepare() {
        try (Lane _ = device.lane()) {
            CudaStream stream = device.current();
            stream.beginRecording(scratch);
            try {
                if (!rehearsed) {
                    work.run();
                    rehearsed = true;
                    return;
                }
                graph = capture(stream);
            } finally {
                stream.endRecording();
            }
            launch();
        }
    }

    private long capture(CudaStream stream) {
        int[] code = new int[1];
        long captured = 0;
        boolean complete = false;
        stream.beginCapture();
        try {
            work.run();
            complete = true;
        } finally {
            captured = stream.endCapture(code); // whatever was thrown: the stream must leave this mode
            if (!complete) {
                destroy(captured);
            }
        }
        device.check(code[0], "recording");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            device.check((int) CudaCalls.GRAPH_INSTANTIATE.invokeExact(out.address(), captured, 0L), "preparing a recording to be replayed");
            return out.get(JAVA_LONG, 0);
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        } finally {
            destroy(captured);
        }
    }

    private static void destroy(long captured) {
        if (captured == 0) {
            return;
        }
        try {
            int _ = (int) CudaCalls.GRAPH_DESTROY.invokeExact(captured);
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    private void launch() {
        device.makeCurrent();
        try {
            device.check((int) CudaCalls.GRAPH_LAUNCH.invokeExact(graph, device.stream()), "replaying a recording");
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    /** Waits for what the calling thread handed over, and for the main stream; then frees graph and scratch memory. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        device.refuseInRecording("closing another recording");
        closed = true;
        device.makeCurrent();
        try {
            if (graph != 0) {
                device.check((int) CudaCalls.GRAPH_EXEC_DESTROY.invokeExact(graph), "closing a recording"); // if it runs, when it is done
                graph = 0;
            }
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        } finally {
            scratch.free();
        }
    }
}
