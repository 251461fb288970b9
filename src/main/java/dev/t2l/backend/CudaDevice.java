package dev.t2l.backend;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUmodule;
import jcuda.driver.JCudaDriver;

/**
 * The GPU: its primary context, the kernels' modules, and the streams that work runs on. Opened once, by whoever asks
 * first, and never closed: backends come and go and own only memory.
 *
 * <p>All threads that opened no lane share one stream: their work runs in the order in which it was handed over, so what one thread
 * computed another may use as soon as it knows of it ({@link CudaStreams} tells of lanes). The driver takes launches from several
 * threads at once. The context is made current before every call, since a Java thread, a virtual one above all, has none of its own.
 *
 * <p>{@code -Dt2l.cuda.device=N} picks the device; {@code -Dt2l.cuda.ptx=true} has the driver compile the kernels from PTX.
 */
final class CudaDevice {
    private static final System.Logger LOG = System.getLogger("dev.t2l.cuda");
    /** What nvcc 13 compiles needs a driver that knows CUDA 13, which are those from 580 on. */
    private static final int CUDA = 13_000;
    private static final String[] FAULTS = {"", "gather", "scatter", "mean_rows", "attention", "lora", "lora_backward", "scatter_add", "attention_backward",
        "cross_entropy"};
    private static final VarHandle FAULT = ValueLayout.JAVA_INT.varHandle();
    private static CudaDevice opened;

    private static final class Context extends CUcontext {
        long value() {
            return getNativePointer();
        }
    }

    /** Device memory. */
    static final class Address extends CUdeviceptr {
        long value() {
            return getNativePointer();
        }
    }

    private final CUdevice handle = new CUdevice();
    private final String name;
    private final int major;
    private final int minor;
    private final int multiprocessors;
    private final int sharedPerBlock;
    private final long memory;
    private final int cuda;
    private final Context context = new Context();
    private final long contextValue;
    private final Map<String, CudaModule> modules = new ConcurrentHashMap<>();
    private final CudaPinned pinned = new CudaPinned(this);
    private final CudaStreams streams;
    private final CudaPool pool;
    private final MemorySegment fault;
    private volatile double compiling;

    /**
     * The device of this process.
     *
     * @throws BackendUnavailableException with the reason in one line: no driver, no GPU, one too old, or no kernels in this build
     */
    static synchronized CudaDevice open() {
        if (opened == null) {
            if (CudaDevice.class.getResource("/cuda/add.fatbin") == null) {
                throw new BackendUnavailableException("this build has no CUDA kernels: nvcc was not found when it was made");
            }
            driver();
            try {
                int result = (int) CudaCalls.INIT.invokeExact(0);
                if (result != 0) {
                    throw new BackendUnavailableException("no usable NVIDIA GPU: " + CudaCalls.describe(result));
                }
                JCudaLibrary.load();
                opened = new CudaDevice(Integer.getInteger("t2l.cuda.device", 0));
            } catch (CudaException | jcuda.CudaException | LinkageError e) {
                throw new BackendUnavailableException("CUDA's driver cannot be called: " + e.toString().lines().findFirst().orElse(""), e);
            } catch (Throwable t) {
                throw CudaCalls.unexpected(t);
            }
        }
        return opened;
    }

    /**
     * The driver's library.
     *
     * @throws BackendUnavailableException if there is none, found out without touching JCuda, which would complain aloud
     */
    static SymbolLookup driver() {
        try {
            return SymbolLookup.libraryLookup("libcuda.so.1", Arena.global());
        } catch (IllegalArgumentException e) {
            throw new BackendUnavailableException("no NVIDIA driver: libcuda.so.1 cannot be loaded", e);
        } catch (IllegalCallerException e) {
            throw new BackendUnavailableException("the JVM forbids native access: " + e.getMessage(), e);
        }
    }

    private CudaDevice(int ordinal) {
        int[] number = new int[1];
        JCudaDriver.cuDriverGetVersion(number);
        cuda = number[0];
        if (cuda < CUDA) {
            throw new BackendUnavailableException("the NVIDIA driver knows CUDA " + version(cuda) + "; CUDA " + version(CUDA) + ", driver 580 or newer, is needed");
        }
        JCudaDriver.cuDeviceGetCount(number);
        if (ordinal < 0 || ordinal >= number[0]) {
            throw new BackendUnavailableException("there is no CUDA device " + ordinal + " among " + number[0]);
        }
        JCudaDriver.cuDeviceGet(handle, ordinal);
        byte[] text = new byte[256];
        JCudaDriver.cuDeviceGetName(text, text.length, handle);
        name = new String(text, StandardCharsets.UTF_8).split("\0")[0];
        major = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
        minor = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
        if (major < 8) {
            throw new BackendUnavailableException(name + " has compute capability " + major + "." + minor + "; 8.0 is needed");
        }
        multiprocessors = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
        sharedPerBlock = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
        long[] bytes = new long[1];
        JCudaDriver.cuDeviceTotalMem(bytes, handle);
        memory = bytes[0];
        JCudaDriver.cuDevicePrimaryCtxRetain(context, handle);
        contextValue = context.value();
        makeCurrent();
        streams = new CudaStreams(this);
        fault = pinned.lock(64).segment().fill((byte) 0);
        pool = new CudaPool(this, ordinal);
    }

    private int attribute(int which) {
        int[] value = new int[1];
        JCudaDriver.cuDeviceGetAttribute(value, which, handle);
        return value[0];
    }

    private static String version(int cuda) {
        return cuda / 1000 + "." + cuda % 1000 / 10;
    }

    /** Makes the context current on the calling thread; every call of the driver comes after one of this. */
    void makeCurrent() {
        try {
            int result = (int) CudaCalls.SET_CURRENT.invokeExact(contextValue);
            if (result != 0) {
                throw failure("cuCtxSetCurrent", result);
            }
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    /** The stream of the calling thread's work: its lane's, or everybody's. */
    CudaStream current() {
        return streams.current();
    }

    /** The driver's handle of {@link #current()}. */
    long stream() {
        return streams.current().handle();
    }

    /** Memory between the launches of one operation; another for every stream, so to be asked for anew each time. */
    CudaScratch scratch() {
        return streams.current().scratch();
    }

    CudaTransfer transfer() {
        return streams.current().transfer();
    }

    /** {@link Backend#lane}. */
    Lane lane() {
        return streams.open();
    }

    /** Has the calling thread's lane wait, on the device, for the main stream, and so for every lane that was closed. */
    void joinMain() {
        CudaStream stream = streams.current();
        if (stream != streams.main()) {
            stream.order(streams.main(), stream);
        }
    }

    /** Page-locked memory. */
    CudaPinned pinned() {
        return pinned;
    }

    /** @throws IllegalStateException if the calling thread's work is being recorded, of which {@code what} can be no part */
    void refuseInRecording(String what) {
        if (streams.current().recording()) {
            throw new IllegalStateException(what + " cannot be recorded; HINT: record calls of kernels and uploads from pinned memory alone, and do all else before or after");
        }
    }

    /** Memory for what comes and goes with requests. */
    CudaPool pool() {
        return pool;
    }

    /** Bytes of device memory in all. */
    long memory() {
        return memory;
    }

    int multiprocessors() {
        return multiprocessors;
    }

    /** The most shared memory a block may ask for, in bytes ({@link CudaFunction#maxShared}). */
    int sharedPerBlock() {
        return sharedPerBlock;
    }

    /** The compute capability as one number: 80, 90. */
    int capability() {
        return 10 * major + minor;
    }

    /**
     * Where a kernel that meets an index outside its table writes its number ({@code enum t2l_fault} of {@code cuda/common.cuh}). There is
     * one for all streams, since a recording keeps the address and is replayed on any: the fault is told to whichever thread waits next.
     */
    long fault() {
        return fault.address();
    }

    /** Waits until all work of the calling thread's stream is done; {@link CudaException} if a kernel failed. */
    void await() {
        streams.current().await();
    }

    /** {@link #await}, for the main stream, too, and so for every lane that was closed: memory that they used can be freed. */
    void settle() {
        CudaStream stream = streams.current();
        stream.await();
        if (stream != streams.main()) {
            streams.main().await();
        }
    }

    /**
     * {@link #await}, then looks whether all was well.
     *
     * @throws IndexOutOfBoundsException if a kernel met an index outside its table
     */
    void synchronise() {
        refuseInRecording("waiting for the device");
        await();
        if (fault.get(ValueLayout.JAVA_INT, 0) != 0) {
            int code = (int) FAULT.getAndSet(fault, 0L, 0);
            if (code == 0) {
                return; // another thread has told of it
            }
            throw new IndexOutOfBoundsException("kernel " + (code < FAULTS.length ? FAULTS[code] : String.valueOf(code)) + " met an index outside its table");
        }
    }

    /** Throws {@link #failure} for a code other than 0. */
    void check(int result, String what) {
        if (result != 0) {
            throw failure(what, result);
        }
    }

    /** What a call of the driver that gave a code other than 0 throws. */
    CudaException failure(String what, int result) {
        return new CudaException(what + " on " + this + ": " + CudaCalls.describe(result));
    }

    /** Device memory for long, with undefined content, aligned to 256 bytes; {@link CudaException} says what was asked, is free, and would fit. */
    Address allocate(long bytes, String what) {
        makeCurrent();
        var address = new Address();
        try {
            JCudaDriver.cuMemAlloc(address, Math.max(1, bytes));
        } catch (jcuda.CudaException e) {
            throw tooLittle(what, bytes, e.getMessage(), e);
        }
        return address;
    }

    CudaException tooLittle(String what, long bytes, String reason, Throwable cause) {
        return new CudaException(String.format(Locale.ROOT, "no device memory for %s: asked for %.1f MiB, of %.1f MiB %.1f are free on %s (%s); "
                + "HINT: no more than what is free fits: a shorter context, fewer sequences, or weights in a smaller format",
                what, mib(bytes), mib(memory), mib(free()), this, reason), cause);
    }

    /** Gives memory back once all work is done that the main stream, closed lanes and the calling thread's one have. */
    void release(Address address) {
        settle();
        JCudaDriver.cuMemFree(address);
    }

    static double mib(long bytes) {
        return bytes / 1048576.0;
    }

    /** Bytes of device memory that nobody has. */
    long free() {
        makeCurrent();
        long[] free = new long[1];
        JCudaDriver.cuMemGetInfo(free, new long[1]);
        return free[0];
    }

    /** The kernels of {@code cuda/<name>.cu}. */
    CudaModule module(String source) {
        return modules.computeIfAbsent(source, this::load);
    }

    private CudaModule load(String source) {
        boolean compile = Boolean.getBoolean("t2l.cuda.ptx") || major != 8 && capability() != 90; // built for 8.x and 9.0
        byte[] image = resource("/cuda/" + source + (compile ? ".ptx" : ".fatbin"));
        makeCurrent();
        var module = new CUmodule();
        long before = System.nanoTime();
        JCudaDriver.cuModuleLoadData(module, compile ? Arrays.copyOf(image, image.length + 1) : image); // PTX ends in a zero
        if (compile) {
            double seconds = (System.nanoTime() - before) * 1e-9;
            LOG.log(System.Logger.Level.INFO, String.format(Locale.ROOT, "cuda/%s.cu compiled from PTX in %.2f s", source, seconds));
            compiling += seconds;
        }
        return new CudaModule(this, source, module);
    }

    private static byte[] resource(String path) {
        try (InputStream in = CudaDevice.class.getResourceAsStream(path)) {
            if (in == null) {
                throw new BackendUnavailableException("this build has no " + path);
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new BackendUnavailableException(path + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** {@link Backend#details}. */
    Map<String, String> details() {
        Map<String, String> details = new LinkedHashMap<>();
        details.put("device", name + ", " + multiprocessors + " multiprocessors");
        details.put("capability", major + "." + minor);
        details.put("driver", driverVersion() + "for CUDA " + version(cuda));
        details.put("memory", String.format(Locale.ROOT, "%.1f GiB, free %.1f GiB", memory / 1073741824.0, free() / 1073741824.0));
        details.put("kernels", compiling == 0 ? "as built" : String.format(Locale.ROOT, "compiled from PTX by the driver in %.1f s", compiling));
        return details;
    }

    /** The version of the installed driver, as Linux tells it; empty if it does not. */
    private static String driverVersion() {
        try {
            var version = Pattern.compile("\\b\\d{3,}\\.\\d+(\\.\\d+)?\\b").matcher(Files.readString(Path.of("/proc/driver/nvidia/version")));
            return version.find() ? version.group() + " " : "";
        } catch (IOException e) {
            return "";
        }
    }

    /** {@code NVIDIA H100 80GB HBM3, compute capability 9.0, 79.2 GiB, driver 580.82.07 for CUDA 13.0}. */
    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%s, compute capability %d.%d, %.1f GiB, driver %sfor CUDA %s%s", name, major, minor, memory / 1073741824.0,
                driverVersion(), version(cuda), compiling == 0 ? "" : String.format(Locale.ROOT, ", kernels compiled from PTX in %.1f s", compiling));
    }
}
