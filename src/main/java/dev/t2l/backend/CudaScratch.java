package dev.t2l.backend;

/**
 * Device memory between the launches of one operation. All launches run in the order of one stream, so one piece serves all:
 * an operation holds this object's monitor from {@link #address} to its last launch, and another that comes next may overwrite.
 *
 * <pre>{@code synchronized (scratch) { long partial = scratch.address(bytes); first.run(...); second.run(...); }}</pre>
 */
final class CudaScratch {
    private static final long LEAST = 1 << 20;

    private final CudaDevice device;
    private CudaDevice.Address memory;
    private long size;

    CudaScratch(CudaDevice device) {
        this.device = device;
    }

    /** The address of at least so many bytes, aligned to 256, with undefined content. The caller holds this object's monitor. */
    synchronized long address(long bytes) {
        if (bytes > size) {
            if (memory != null) {
                device.release(memory);
                memory = null;
                size = 0;
            }
            long wanted = bytes <= LEAST ? LEAST : Long.highestOneBit(bytes - 1) << 1;
            memory = device.allocate(wanted, "scratch");
            size = wanted;
        }
        return memory.value();
    }
}
