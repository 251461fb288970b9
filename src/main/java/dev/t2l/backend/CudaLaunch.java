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
 *
 * <p>In a recording, a kernel launched by {@link #runClusters} begins before the launches in front of it have ended, and waits for them where it
 * needs their results: kernels launched so read nothing before that but weights, which no recording writes. {@code -Dt2l.cuda.early=false}
 * has it begin afterwards.
 */
final class CudaLaunch {
    private static final System.Logger LOG = System.getLogger("dev.t2l.cuda");
    private static final boolean CHECK = Boolean.getBoolean("t2l.cuda.check");
    private static final boolean EARLY = Boolean.parseBoolean(System.getProperty("t2l.cuda.early", "true"));
    private static final int PARAMETERS = 400;

    /** Offsets in {@code CUlaunchConfig}: grid and block sizes first; then two {@code CUlaunchAttribute} follow here, for it to point to. */
    private static final int SHARED = 24;
    private static final int STREAM = 32;
    private static final int ATTRIBUTES = 40;
    private static final int ATTRIBUTE_COUNT = 48;
    private static final int CONFIG_BYTES = 56;
    private static final int ATTRIBUTE_BYTES = 72;
    private static final int ATTRIBUTE_VALUE = 8;
    private static final int CLUSTER_DIMENSION = 4;
    private static final int BEGINS_EARLY = 6;

    private final MemorySegment values = Arena.ofAuto().allocate(8 * PARAMETERS, 8);
    private final MemorySegment pointers = Arena.ofAuto().allocate(8 * PARAMETERS, 8);
    private final MemorySegment config = Arena.ofAuto().allocate(CONFIG_BYTES + 2 * ATTRIBUTE_BYTES, 8);
    private final Tensor[] tensors = new Tensor[PARAMETERS];
    private int count;
    private CudaFunction function;

    CudaLaunch() {
        for (int i = 0; i < PARAMETERS; i++) {
            pointers.setAtIndex(ValueLayout.JAVA_LONG, i, values.address() + 8L * i);
        }
        config.set(ValueLayout.JAVA_LONG, ATTRIBUTES, config.address() + CONFIG_BYTES);
        attribute(0, CLUSTER_DIMENSION, 1);
        attribute(1, BEGINS_EARLY, 1);
    }

    /** @param value its first number, the others being 1 or unused */
    private void attribute(int index, int id, int value) {
        long at = CONFIG_BYTES + (long) index * ATTRIBUTE_BYTES;
        config.set(ValueLayout.JAVA_INT, at, id);
        numbers(at + ATTRIBUTE_VALUE, value, 1, 1);
    }

    private void numbers(long at, int x, int y, int z) {
        config.set(ValueLayout.JAVA_INT, at, x);
        config.set(ValueLayout.JAVA_INT, at + 4, y);
        config.set(ValueLayout.JAVA_INT, at + 8, z);
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
        launch(0, gridX, gridY, gridZ, threadsX, sharedBytes);
    }

    /** {@link #run} in clusters of {@code together} blocks, of which gridX is a multiple: on compute capability 9.0 and newer. */
    void runClusters(int together, int gridX, int gridY, int threadsX, int sharedBytes) {
        launch(together, gridX, gridY, 1, threadsX, sharedBytes);
    }

    /** @param together 0 for no clusters */
    private void launch(int together, int gridX, int gridY, int gridZ, int threadsX, int sharedBytes) {
        CudaDevice device = function.device();
        try {
            if (gridX == 0 || gridY == 0 || gridZ == 0) {
                return;
            }
            if (CHECK) {
                LOG.log(System.Logger.Level.INFO, describe(together, gridX, gridY, gridZ, threadsX, sharedBytes));
            }
            device.makeCurrent();
            int result;
            if (together == 0) {
                result = (int) CudaCalls.LAUNCH.invokeExact(function.value(), gridX, gridY, gridZ, threadsX, 1, 1, sharedBytes, device.stream(),
                        pointers.address(), 0L);
            } else {
                numbers(0, gridX, gridY, gridZ);
                numbers(12, threadsX, 1, 1);
                config.set(ValueLayout.JAVA_INT, SHARED, sharedBytes);
                config.set(ValueLayout.JAVA_LONG, STREAM, device.stream());
                config.set(ValueLayout.JAVA_INT, ATTRIBUTE_COUNT, EARLY && device.current().capturing() ? 2 : 1);
                config.set(ValueLayout.JAVA_INT, CONFIG_BYTES + ATTRIBUTE_VALUE, together);
                result = (int) CudaCalls.LAUNCH_EX.invokeExact(config.address(), function.value(), pointers.address(), 0L);
            }
            if (result == 0 && CHECK) {
                result = (int) CudaCalls.SYNCHRONISE.invokeExact(device.stream());
            }
            if (result != 0) {
                throw device.failure(describe(together, gridX, gridY, gridZ, threadsX, sharedBytes), result);
            }
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        } finally {
            Arrays.fill(tensors, 0, count, null);
        }
    }

    private String describe(int together, int gridX, int gridY, int gridZ, int threadsX, int sharedBytes) {
        var text = new StringBuilder("kernel ").append(function).append('(');
        for (int i = 0; i < count; i++) {
            text.append(i == 0 ? "" : ", ").append(tensors[i] == null ? Long.toString(values.get(ValueLayout.JAVA_LONG, 8L * i)) : tensors[i].toString());
        }
        return text.append(") grid ").append(gridX).append('x').append(gridY).append('x').append(gridZ).append(" of ").append(threadsX)
                .append(" threads, ").append(sharedBytes).append(" bytes shared").append(together > 1 ? ", in clusters of " + together : "").toString();
    }
}
