package dev.t2l.backend;

import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * One launch in the making: a thread's reusable buffer of kernel parameters. Launching allocates nothing on the heap.
 *
 * <p>{@code -Dt2l.cuda.check=true} logs every launch before it is made and waits for it to end, so that a fault is reported
 * where it happened, not at the next transfer.
 */
final class CudaLaunch {
    private static final System.Logger LOG = System.getLogger("dev.t2l.cuda");
    private static final boolean CHECK = Boolean.getBoolean("t2l.cuda.check");
    private static final int PARAMETERS = 400;

    private final MemorySegment values = Arena.ofAuto().allocate(8 * PARAMETERS, 8);
    private final MemorySegment pointers = Arena.ofAuto().allocate(8 * PARAMETERS, 8);
    private final Tensor[] tensors = new Tensor[PARAMETERS];
    private int count;
    private CudaFunction function;

    CudaLaunch() {
        for (int i = 0; i < PARAMETERS; i++) {
            pointers.setAtIndex(ValueLayout.JAVA_LONG, i, values.address() + 8L * i);
        }
    }

    CudaLaunch begin(CudaFunction of) {
        function = of;
        count = 0;
        return this;
    }

    /** A pointer to the tensor's first element; null for null. */
    CudaLaunch pointer(Tensor t) {
        i64(t == null ? 0 : t.address());
        tensors[count - 1] = t;
        return this;
    }

    /** A 64-bit integer, or an address; several are the fields of a structure of such, if that is the kernel's last parameter. */
    CudaLaunch i64(long value) {
        tensors[count] = null;
        values.set(ValueLayout.JAVA_LONG, 8L * count++, value);
        return this;
    }

    CudaLaunch i32(int value) {
        return i64(value);
    }

    CudaLaunch f32(float value) {
        return i64(Float.floatToRawIntBits(value));
    }

    /**
     * Launches on the device's stream: blocks of {@code threadsX} threads in a grid. A grid with a dimension of 0 has nothing to
     * do and is not launched.
     *
     * @throws CudaException naming the kernel, its grid, its tensors and the device
     */
    void run(int gridX, int gridY, int gridZ, int threadsX, int sharedBytes) {
        CudaDevice device = function.device();
        try {
            if (gridX == 0 || gridY == 0 || gridZ == 0) {
                return;
            }
            if (CHECK) {
                LOG.log(System.Logger.Level.INFO, describe(gridX, gridY, gridZ, threadsX, sharedBytes));
            }
            device.makeCurrent();
            int result = (int) CudaCalls.LAUNCH.invokeExact(function.value(), gridX, gridY, gridZ, threadsX, 1, 1, sharedBytes, device.stream(),
                    pointers.address(), 0L);
            if (result == 0 && CHECK) {
                result = (int) CudaCalls.SYNCHRONISE.invokeExact(device.stream());
            }
            if (result != 0) {
                throw device.failure(describe(gridX, gridY, gridZ, threadsX, sharedBytes), result);
            }
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        } finally {
            Arrays.fill(tensors, 0, count, null);
        }
    }

    private String describe(int gridX, int gridY, int gridZ, int threadsX, int sharedBytes) {
        var text = new StringBuilder("kernel ").append(function).append('(');
        for (int i = 0; i < count; i++) {
            text.append(i == 0 ? "" : ", ").append(tensors[i] == null ? Long.toString(values.get(ValueLayout.JAVA_LONG, 8L * i)) : tensors[i].toString());
        }
        return text.append(") grid ").append(gridX).append('x').append(gridY).append('x').append(gridZ).append(" of ").append(threadsX)
                .append(" threads, ").append(sharedBytes).append(" bytes shared").toString();
    }
}
