package dev.t2l.backend;

import dev.t2l.tensor.Memory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Device memory as segments: of length zero, so that the host cannot read them, and with a scope, so that use after close throws. */
final class CudaMemory {
    private CudaMemory() {
    }

    /** For long, undefined content. {@code what} it is for is said when there is too little. */
    static Memory lasting(CudaDevice device, long bytes, String what) {
        CudaDevice.Address address = device.allocate(bytes, what);
        return memory(address.value(), () -> device.release(address));
    }

    /** For a request, zeroed if {@code cleared}. */
    static Memory passing(CudaDevice device, long bytes, String what, boolean cleared) {
        long address = device.pool().allocate(bytes, what, cleared);
        return memory(address, () -> device.pool().release(address));
    }

    private static Memory memory(long address, Runnable release) {
        Arena arena = Arena.ofShared();
        return new Memory(MemorySegment.ofAddress(address).reinterpret(0, arena, null), () -> {
            arena.close();
            release.run();
        });
    }
}
