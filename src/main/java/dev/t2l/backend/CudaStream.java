package dev.t2l.backend;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A queue of the device's work, with what the work on it needs: scratch memory between its launches, page-locked memory for its small
 * uploads, and an event by which other streams wait for it. All but the main one belong to one thread at a time ({@link CudaStreams}).
 */
final class CudaStream {
    private static final int NON_BLOCKING = 1;   // CU_STREAM_NON_BLOCKING
    private static final int DISABLE_TIMING = 2; // CU_EVENT_DISABLE_TIMING
    /**
     * CU_STREAM_CAPTURE_MODE_RELAXED: a virtual thread may end on another carrier than it began on, which the other modes forbid. What
     * they would refuse, such as taking memory, is refused here ({@link CudaDevice#refuseInRecording}).
     */
    private static final int RELAXED = 2;

    private final CudaDevice device;
    private final long handle;
    private final long event;
    private final CudaTransfer transfer;
    private final CudaScratch ownScratch;
    private CudaScratch scratch;
    private boolean recording;
    private boolean capturing;

    CudaStream(CudaDevice device) {
        this.device = device;
        device.makeCurrent();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            device.check((int) CudaCalls.STREAM_CREATE.invokeExact(out.address(), NON_BLOCKING), "creating a stream");
            handle = out.get(JAVA_LONG, 0);
            device.check((int) CudaCalls.EVENT_CREATE.invokeExact(out.address(), DISABLE_TIMING), "creating an event");
            event = out.get(JAVA_LONG, 0);
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
        transfer = new CudaTransfer(device);
        ownScratch = new CudaScratch(device);
        scratch = ownScratch;
    }

    long handle() {
        return handle;
    }

    CudaTransfer transfer() {
        return transfer;
    }

    CudaScratch scratch() {
        return scratch;
    }

    /** Whether its work is being recorded: run for the first time, or captured. */
    boolean recording() {
        return recording;
    }

    /** Whether its work is not done, but made into a graph. */
    boolean capturing() {
        return capturing;
    }

    /** Waits, on the host, until all of its work is done; {@link CudaException} if a kernel failed. */
    void await() {
        device.makeCurrent();
        try {
            device.check((int) CudaCalls.SYNCHRONISE.invokeExact(handle), "waiting for the kernels launched so far (-Dt2l.cuda.check=true finds which)");
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    /** Has {@code later} wait for all the work that {@code earlier} has so far; the host goes on. The event is this stream's. */
    void order(CudaStream earlier, CudaStream later) {
        device.makeCurrent();
        try {
            device.check((int) CudaCalls.EVENT_RECORD.invokeExact(event, earlier.handle), "recording an event");
            device.check((int) CudaCalls.WAIT_EVENT.invokeExact(later.handle, event, 0), "having a stream wait");
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    /** Until {@link #endRecording}, operations use a recording's scratch memory. */
    void beginRecording(CudaScratch of) {
        scratch = of;
        recording = true;
    }

    void endRecording() {
        scratch = ownScratch;
        recording = false;
    }

    /** From here on work is gathered, not done, until {@link #endCapture}. */
    void beginCapture() {
        device.makeCurrent();
        try {
            device.check((int) CudaCalls.BEGIN_CAPTURE.invokeExact(handle, RELAXED), "beginning to record");
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
        capturing = true;
    }

    /** Ends the capture, whatever came of it; the graph, or 0 and a code other than 0 in {@code code[0]}. */
    long endCapture(int[] code) {
        capturing = false;
        device.makeCurrent();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            code[0] = (int) CudaCalls.END_CAPTURE.invokeExact(handle, out.address());
            return out.get(JAVA_LONG, 0);
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    /** Waits for its work, then gives everything back. */
    void destroy() {
        await();
        transfer.free();
        ownScratch.free();
        try {
            device.check((int) CudaCalls.EVENT_DESTROY.invokeExact(event), "destroying an event");
            device.check((int) CudaCalls.STREAM_DESTROY.invokeExact(handle), "destroying a stream");
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }
}
