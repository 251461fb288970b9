package dev.t2l.backend;

import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/**
 * Copies between host and device, in the order of one stream. Small uploads go through page-locked memory, used from its start to
 * its end and over again, and return at once; larger ones, and downloads, return when the copy is done. Uploads from memory of
 * {@link Backend#pinned} return at once, too, and are read when their turn comes.
 */
final class CudaTransfer {
    private static final long STAGING = 4 << 20;
    private static final long SMALL = 1 << 20;

    private final CudaDevice device;
    private CudaPinned.Block block; // taken when first needed
    private MemorySegment staging;
    private long used;

    CudaTransfer(CudaDevice device) {
        this.device = device;
    }

    /**
     * The first bytes of {@code from} to a device address. From may change as soon as this returns; if it is pinned, not before the
     * stream has come that far.
     */
    void upload(long to, MemorySegment from, long bytes) {
        if (bytes > from.byteSize()) {
            throw new IllegalArgumentException("wanted " + bytes + " bytes to copy to the device, got " + from.byteSize());
        }
        if (from.isNative() && device.pinned().holds(from.address(), bytes)) {
            copyUp(to, from.address(), bytes);
            return;
        }
        device.refuseInRecording("uploading from memory that is not pinned");
        if (from.isNative() && bytes > SMALL) {
            copyUp(to, from.address(), bytes);
            device.await();
            Reference.reachabilityFence(from);
            return;
        }
        for (long at = 0; at < bytes; at += SMALL) {
            stage(to + at, from, at, Math.min(SMALL, bytes - at));
        }
    }

    private synchronized void stage(long to, MemorySegment from, long at, long bytes) {
        if (block == null) {
            block = device.pinned().lock(STAGING);
            staging = block.segment();
        }
        if (used + bytes > STAGING) {
            device.await(); // what lies there has been copied
            used = 0;
        }
        MemorySegment.copy(from, at, staging, used, bytes);
        copyUp(to, staging.address() + used, bytes);
        used = (used + bytes + 63) / 64 * 64;
    }

    private void copyUp(long to, long from, long bytes) {
        device.makeCurrent();
        try {
            int result = (int) CudaCalls.UPLOAD.invokeExact(to, from, bytes, device.stream());
            if (result != 0) {
                throw device.failure("copying " + bytes + " bytes to the device", result);
            }
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    /** From one address of the device or of pinned memory to another. */
    void copy(long to, long from, long bytes) {
        device.makeCurrent();
        try {
            int result = (int) CudaCalls.COPY.invokeExact(to, from, bytes, device.stream());
            if (result != 0) {
                throw device.failure("copying " + bytes + " bytes", result);
            }
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    /** Gives the page-locked memory back; no copy from it may be under way. */
    synchronized void free() {
        if (block != null) {
            block.free();
            block = null;
            used = 0;
        }
    }

    /** The tensor's bytes, once all work handed over before is done. */
    void download(MemorySegment to, Tensor from) {
        device.refuseInRecording("downloading");
        if (!to.isNative()) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment host = arena.allocate(from.bytes(), 64);
                download(host, from);
                MemorySegment.copy(host, 0, to, 0, from.bytes());
            }
            return;
        }
        if (from.bytes() > to.byteSize()) {
            throw new IllegalArgumentException(from + " has " + from.bytes() + " bytes, the host memory " + to.byteSize());
        }
        device.makeCurrent();
        try {
            int result = (int) CudaCalls.DOWNLOAD.invokeExact(to.address(), from.address(), from.bytes(), device.stream());
            if (result != 0) {
                throw device.failure("copying " + from + " to the host", result);
            }
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
        device.synchronise();
        Reference.reachabilityFence(to);
    }
}
