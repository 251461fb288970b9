package dev.t2l.backend;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The driver's pool of device memory, for what comes and goes with requests: taking and giving back are steps of the thread's stream
 * like any other, so memory is reused only after its last use, and nobody waits. What a lane gives back it gives back after all that
 * the main stream and closed lanes have to do, since they may have used it. The pool keeps some of what it was given back for the next who
 * ask, since taking memory from the driver costs more than many a kernel: up to a 32nd of the device, 256 MiB at least.
 */
final class CudaPool {
    private static final int RELEASE_THRESHOLD = 4; // CU_MEMPOOL_ATTR_RELEASE_THRESHOLD
    private static final long LEAST_KEPT = 256L << 20;
    private static final int KEPT_PART = 32;

    private final CudaDevice device;

    CudaPool(CudaDevice device, int ordinal) {
        this.device = device;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            int result = (int) CudaCalls.DEFAULT_POOL.invokeExact(out.address(), ordinal);
            if (result == 0) {
                long pool = out.get(JAVA_LONG, 0);
                out.set(JAVA_LONG, 0, Math.max(LEAST_KEPT, device.memory() / KEPT_PART));
                result = (int) CudaCalls.POOL_SET.invokeExact(pool, RELEASE_THRESHOLD, out.address());
            }
            if (result != 0) {
                throw device.failure("the pool of device memory", result);
            }
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    /** Memory, aligned to 256 bytes, zeroed if {@code cleared}; {@link CudaException} as {@link CudaDevice#allocate}. */
    long allocate(long bytes, String what, boolean cleared) {
        device.refuseInRecording("allocating memory");
        device.makeCurrent();
        long size = Math.max(1, bytes);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            int result = (int) CudaCalls.ALLOCATE.invokeExact(out.address(), size, device.stream());
            if (result != 0) {
                throw device.tooLittle(what, bytes, CudaCalls.describe(result), null);
            }
            long address = out.get(JAVA_LONG, 0);
            if (cleared) {
                result = (int) CudaCalls.CLEAR.invokeExact(address, (byte) 0, size, device.stream());
            }
            if (result != 0) {
                throw device.failure("clearing " + size + " bytes", result);
            }
            return address;
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    void release(long address) {
        device.refuseInRecording("freeing memory");
        device.makeCurrent();
        try {
            device.joinMain();
            int result = (int) CudaCalls.FREE.invokeExact(address, device.stream());
            if (result != 0) {
                throw device.failure("giving memory back", result);
            }
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }
}
