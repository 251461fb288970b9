package dev.t2l.backend;

import dev.t2l.tensor.Memory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Device memory as segments: of length zero, so that the host cannot read them, and with a scope, so that use after close throws. */
final class CudaMemory {
    private CudaMemory() {
    }

    /** @param what for whom, for the message when there is too little */
    static Memory allocate(CudaDevice device, long bytes, String what) {
        CudaDevice.Address address = device.allocate(bytes, what);
        Arena arena = Arena.ofShared();
        return new Memory(segment(address.value(), arena), () -> {
            arena.close();
            device.release(address);
        });
    }

    /** A segment of no bytes at a device address, which lives as long as the arena. */
    static MemorySegment segment(long address, Arena arena) {
        return MemorySegment.ofAddress(address).reinterpret(0, arena, null);
    }
}
