package dev.t2l.backend;

/**
 * Device memory between the launches of one operation. Launches of one stream run in their order, so one piece serves all of a
 * stream: an operation holds this object's monitor from {@link #address} to its last launch, and another that comes next may overwrite.
 * Another stream has another one, so an operation asks {@link CudaDevice#scratch} each time and keeps none.
 *
 * <pre>{@code CudaScratch scratch = device.scratch(); synchronized (scratch) { long partial = scratch.address(bytes); first.run(...); second.run(...); }}</pre>
 */
final class CudaScratch {
    private static final long LEAST = 1 << 20;

    private final CudaDevice device;
    private CudaDevice.Address memory;
    private long size;

    CudaScratch(CudaDevice device) {
        this.device = device;
    }

    /**
     * The address of at least so many bytes, aligned to 256, with undefined content. The caller holds this object's monitor.
     *
     * @throws IllegalStateException if this is another stream's, or would have to grow while its address is being recorded
     */
    synchronized long address(long bytes) {
        CudaStream stream = device.current();
        if (stream.scratch() != this) {
            throw new IllegalStateException("scratch memory of another stream");
        }
        if (memory == null || bytes > size) {
            if (stream.capturing()) {
                throw new IllegalStateException("a recording that needed " + size + " bytes of scratch memory on its first run needs " + bytes
                        + " now; HINT: recorded work must make the same calls on the same tensors every time");
            }
            free();
            long wanted = bytes <= LEAST ? LEAST : Long.highestOneBit(bytes - 1) << 1;
            memory = device.allocate(wanted, "scratch");
            size = wanted;
        }
        return memory.value();
    }

    /** Gives the memory back; what comes next takes new memory. */
    synchronized void free() {
        if (memory != null) {
            CudaDevice.Address freed = memory;
            memory = null;
            size = 0;
            device.release(freed);
        }
    }
}
