package dev.t2l.backend;

import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;

/**
 * Device memory between the launches of one operation. All launches run in the order of one stream, so one piece serves all:
 * an operation holds this object's monitor from {@link #address} to its last launch, and another that comes next may overwrite.
 *
 * <pre>{@code synchronized (scratch) { long partial = scratch.address(bytes); first.run(...); second.run(...); }}</pre>
 */
final class CudaScratch {
    private static final class Address extends CUdeviceptr {
        long value() {
            return getNativePointer();
        }
    }

    private final CudaDevice device;
    private Address memory;
    private long size;

    CudaScratch(CudaDevice device) {
        this.device = device;
    }

    /** The address of at least so many bytes, aligned to 256, with undefined content. The caller holds this object's monitor. */
    synchronized long address(long bytes) {
        if (bytes > size) {
            device.makeCurrent();
            if (memory != null) {
                JCudaDriver.cuMemFree(memory); // waits for the launches that use it
                memory = null;
                size = 0;
            }
            long wanted = Math.max(1 << 20, Long.highestOneBit(bytes - 1) << 1);
            var fresh = new Address();
            device.allocate(fresh, wanted, "scratch");
            memory = fresh;
            size = wanted;
        }
        return memory.value();
    }
}
