package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Elements;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * Weights on the device, in a few large allocations: each tensor in the first that has room for it, aligned to 256 bytes. The types that the kernels
 * read ({@link KernelTypes#code}) are copied as they are; any other that holds float values becomes f32 on the way, which takes
 * more room, and is logged.
 */
final class CudaSlabs implements Placement {
    private static final System.Logger LOG = System.getLogger("dev.t2l.cuda");
    private static final long ALIGNMENT = 256;
    private static final long FIRST = 16 << 20;
    private static final long LARGEST = 256 << 20;
    private static final int PIECE = 1 << 22;

    /** An allocation, filled from its start. */
    private static final class Slab {
        private final Memory memory;
        private final Tensor bytes;
        private long used;

        Slab(Memory memory, long size) {
            this.memory = memory;
            this.bytes = Tensor.of(DType.U8, memory.segment(), size);
        }

        boolean holds(long more) {
            return used + more <= bytes.bytes();
        }

        MemorySegment take(long more) {
            MemorySegment taken = bytes.slice(used, used + more).data();
            used = (used + more + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
            return taken;
        }
    }

    private final CudaDevice device;
    private final List<Slab> slabs = new ArrayList<>();
    private long next = FIRST;
    private long total;
    private boolean closed;

    CudaSlabs(CudaDevice device) {
        this.device = device;
    }

    /** @throws IllegalArgumentException if the kernels cannot read the tensor's type, and it holds no float values either */
    @Override
    public synchronized Tensor place(Tensor host) {
        if (closed) {
            throw new IllegalStateException("weights cannot be placed: their placement was closed");
        }
        if (!host.onHost()) {
            return host; // on the device already
        }
        boolean asItIs = KernelTypes.code(host.dtype()) >= 0 || host.dtype() == DType.I32;
        DType type = asItIs ? host.dtype() : DType.F32;
        Tensor placed = room(type, host.shape());
        if (asItIs) {
            device.transfer().upload(placed.address(), host.data(), host.bytes());
        } else {
            LOG.log(System.Logger.Level.DEBUG, "{0} has no kernels of its type and becomes {1}", host, placed);
            unpack(placed, host);
        }
        return placed;
    }

    private Tensor room(DType type, long[] shape) {
        long bytes = type.bytes(Tensor.elements(shape));
        for (Slab slab : slabs) {
            if (slab.holds(bytes)) {
                return Tensor.of(type, slab.take(bytes), shape);
            }
        }
        Slab fresh = allocate(Math.max(bytes, next));
        next = Math.min(LARGEST, 2 * next);
        return Tensor.of(type, fresh.take(bytes), shape);
    }

    private Slab allocate(long size) {
        total += size;
        LOG.log(System.Logger.Level.DEBUG, () -> String.format(Locale.ROOT, "weights: %.1f MiB more on the device, %.1f in all", CudaDevice.mib(size), CudaDevice.mib(total)));
        var slab = new Slab(CudaMemory.lasting(device, size, "weights"), size);
        slabs.add(slab);
        return slab;
    }

    private void unpack(Tensor to, Tensor host) {
        int cols = Math.toIntExact(host.cols());
        int rows = Math.max(1, PIECE / Math.max(1, cols));
        for (long first = 0; first < host.rows(); first += rows) {
            long from = first;
            int here = (int) Math.min(rows, host.rows() - first);
            float[] values = new float[here * cols];
            IntStream.range(0, here).parallel().forEach(r -> Elements.readRow(host, from + r, values, r * cols));
            device.transfer().upload(to.address() + 4 * from * cols, MemorySegment.ofArray(values), 4L * values.length);
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        slabs.forEach(slab -> slab.memory.close());
        slabs.clear();
    }
}
