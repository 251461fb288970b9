package dev.t2l.backend;

import dev.t2l.tensor.Memory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/** Page-locked host memory, at the same address on the host and on the device (unified addressing), and where it lies. */
final class CudaPinned {
    /** A page-locked allocation, not known to {@link #holds}. */
    static final class Block extends Pointer {
        private final long bytes;

        private Block(long bytes) {
            this.bytes = bytes;
        }

        long value() {
            return getNativePointer();
        }

        /** The memory, with a scope that never ends. */
        MemorySegment segment() {
            return MemorySegment.ofAddress(value()).reinterpret(bytes);
        }

        /** Gives it back; the caller sees to it that nobody uses it any more. */
        void free() {
            JCudaDriver.cuMemFreeHost(this);
        }
    }

    private final CudaDevice device;
    /** First and last address of every block that {@link #allocate} gave, ascending; replaced, never changed. */
    private volatile long[] bounds = {};

    CudaPinned(CudaDevice device) {
        this.device = device;
    }

    /** {@link Backend#pinned}. */
    Memory allocate(long bytes) {
        device.refuseInRecording("allocating memory");
        long size = Math.max(1, bytes);
        Block block = lock(size);
        Arena arena = Arena.ofShared();
        MemorySegment segment = block.segment().reinterpret(arena, null).fill((byte) 0);
        add(block.value(), size);
        return new Memory(segment, () -> {
            device.refuseInRecording("freeing memory");
            arena.close();
            remove(block.value());
            device.settle();
            block.free();
        });
    }

    /** Page-locked memory for the backend itself, with undefined content. */
    Block lock(long bytes) {
        device.makeCurrent();
        var block = new Block(bytes);
        try {
            JCudaDriver.cuMemAllocHost(block, bytes);
        } catch (jcuda.CudaException e) {
            throw new CudaException(bytes + " bytes of page-locked host memory for " + device + ": " + e.getMessage(), e);
        }
        return block;
    }

    /** Whether so many bytes from an address on lie in one block. */
    boolean holds(long address, long bytes) {
        long[] all = bounds;
        int low = 0;
        int high = all.length / 2;
        while (low < high) { // the number of blocks that begin at or before the address
            int middle = (low + high) >>> 1;
            if (all[2 * middle] <= address) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low > 0 && address + bytes - 1 <= all[2 * low - 1];
    }

    private synchronized void add(long address, long bytes) {
        long[] all = bounds;
        int at = 0;
        while (at < all.length && all[at] < address) {
            at += 2;
        }
        long[] more = new long[all.length + 2];
        System.arraycopy(all, 0, more, 0, at);
        more[at] = address;
        more[at + 1] = address + bytes - 1;
        System.arraycopy(all, at, more, at + 2, all.length - at);
        bounds = more;
    }

    private synchronized void remove(long address) {
        long[] all = bounds;
        for (int at = 0; at < all.length; at += 2) {
            if (all[at] == address) {
                long[] less = Arrays.copyOf(all, all.length - 2);
                System.arraycopy(all, at + 2, less, at, less.length - at);
                bounds = less;
                return;
            }
        }
    }
}
