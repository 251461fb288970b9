package dev.t2l.backend;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The calls of CUDA's driver that a forward pass makes, one handle each, without JNI; handles and addresses are longs, 0 is null.
 * Calling one allocates nothing. {@link CudaDevice#driver()} must have succeeded before. Everything else of the driver is called through JCuda.
 */
final class CudaCalls {
    static final MethodHandle INIT = bind("cuInit", JAVA_INT);
    static final MethodHandle SET_CURRENT = bind("cuCtxSetCurrent", JAVA_LONG);
    /** function, grid x, y, z, block x, y, z, shared bytes, stream, parameters, extra. */
    static final MethodHandle LAUNCH = bind("cuLaunchKernel", JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT,
            JAVA_LONG, JAVA_LONG, JAVA_LONG);
    /** config, function, parameters, extra. */
    static final MethodHandle LAUNCH_EX = bind("cuLaunchKernelEx", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    static final MethodHandle SYNCHRONISE = bind("cuStreamSynchronize", JAVA_LONG);
    /** to, from, bytes, stream. */
    static final MethodHandle UPLOAD = bind("cuMemcpyHtoDAsync_v2", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    static final MethodHandle DOWNLOAD = bind("cuMemcpyDtoHAsync_v2", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    /** address, value, bytes, stream. */
    static final MethodHandle CLEAR = bind("cuMemsetD8Async", JAVA_LONG, JAVA_BYTE, JAVA_LONG, JAVA_LONG);
    /** out: the pool, device; pool, attribute, value. */
    static final MethodHandle DEFAULT_POOL = bind("cuDeviceGetDefaultMemPool", JAVA_LONG, JAVA_INT);
    static final MethodHandle POOL_SET = bind("cuMemPoolSetAttribute", JAVA_LONG, JAVA_INT, JAVA_LONG);
    /** out: the address, bytes, stream; address, stream. */
    static final MethodHandle ALLOCATE = bind("cuMemAllocAsync", JAVA_LONG, JAVA_LONG, JAVA_LONG);
    static final MethodHandle FREE = bind("cuMemFreeAsync", JAVA_LONG, JAVA_LONG);
    /** to, from, bytes, stream; each address of the device or of page-locked memory. */
    static final MethodHandle COPY = bind("cuMemcpyAsync", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    /** out: the stream, flags; stream. */
    static final MethodHandle STREAM_CREATE = bind("cuStreamCreate", JAVA_LONG, JAVA_INT);
    static final MethodHandle STREAM_DESTROY = bind("cuStreamDestroy_v2", JAVA_LONG);
    /** out: the event, flags; event. */
    static final MethodHandle EVENT_CREATE = bind("cuEventCreate", JAVA_LONG, JAVA_INT);
    static final MethodHandle EVENT_DESTROY = bind("cuEventDestroy_v2", JAVA_LONG);
    /** event, stream; stream, event, flags. */
    static final MethodHandle EVENT_RECORD = bind("cuEventRecord", JAVA_LONG, JAVA_LONG);
    static final MethodHandle WAIT_EVENT = bind("cuStreamWaitEvent", JAVA_LONG, JAVA_LONG, JAVA_INT);
    /** stream, mode; stream, out: the graph. */
    static final MethodHandle BEGIN_CAPTURE = bind("cuStreamBeginCapture_v2", JAVA_LONG, JAVA_INT);
    static final MethodHandle END_CAPTURE = bind("cuStreamEndCapture", JAVA_LONG, JAVA_LONG);
    /** out: the executable graph, graph, flags; executable graph, stream. */
    static final MethodHandle GRAPH_INSTANTIATE = bind("cuGraphInstantiateWithFlags", JAVA_LONG, JAVA_LONG, JAVA_LONG);
    static final MethodHandle GRAPH_LAUNCH = bind("cuGraphLaunch", JAVA_LONG, JAVA_LONG);
    static final MethodHandle GRAPH_DESTROY = bind("cuGraphDestroy", JAVA_LONG);
    static final MethodHandle GRAPH_EXEC_DESTROY = bind("cuGraphExecDestroy", JAVA_LONG);
    private static final MethodHandle ERROR_NAME = bind("cuGetErrorName", JAVA_INT, JAVA_LONG);
    private static final MethodHandle ERROR_TEXT = bind("cuGetErrorString", JAVA_INT, JAVA_LONG);

    private CudaCalls() {
    }

    private static MethodHandle bind(String name, MemoryLayout... parameters) {
        return Linker.nativeLinker().downcallHandle(CudaDevice.driver().findOrThrow(name), FunctionDescriptor.of(JAVA_INT, parameters));
    }

    /** {@code CUDA_ERROR_INVALID_VALUE (1): invalid argument}. */
    static String describe(int result) {
        return text(ERROR_NAME, result) + " (" + result + "): " + text(ERROR_TEXT, result);
    }

    private static String text(MethodHandle call, int result) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            int code = (int) call.invokeExact(result, out.address());
            long at = out.get(JAVA_LONG, 0);
            return code != 0 || at == 0 ? "unknown error" : MemorySegment.ofAddress(at).reinterpret(256).getString(0);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** What a downcall threw, to be thrown on. */
    static RuntimeException unexpected(Throwable t) {
        if (t instanceof Error error) {
            throw error;
        }
        return t instanceof RuntimeException e ? e : new IllegalStateException(t);
    }
}
