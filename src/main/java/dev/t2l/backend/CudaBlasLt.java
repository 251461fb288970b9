package dev.t2l.backend;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.t2l.tensor.DType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.stream.Stream;

/**
 * Dense products of bf16 matrices with f32 sums by NVIDIA's cublasLt, bound by Panama (cublasLt.h of CUDA 12 and 13). Opened once a
 * process, never closed, like the device.
 *
 * <p>The algorithm is chosen once for every {@link Size}, for {@link #ROWS} rows of x, without splitting the sum over k, and used for
 * any number of rows, so a row's bits do not depend on the others. Threads take turns.
 */
final class CudaBlasLt {
    private static final System.Logger LOG = System.getLogger("dev.t2l.cuda");
    private static final List<String> LIBRARIES = List.of("libcublasLt.so.13", "libcublasLt.so.12");
    /** Bytes of workspace that the caller provides; what Hopper's kernels want. */
    static final long WORKSPACE = 32 << 20;
    /** What addresses are multiples of. */
    static final long ALIGNMENT = 16;
    /** Rows that algorithms are chosen for. */
    static final long ROWS = 2048;
    /** Rows that they must be fit for, too: few, many, and no multiples of anything. */
    private static final long[] OTHER_ROWS = {1, 132, ROWS - 1};

    // cublasLt.h, library_types.h
    private static final int R_32F = 0;
    private static final int R_16BF = 14;
    private static final int COMPUTE_32F = 68;
    private static final int DESC_TRANSA = 3;
    private static final int OP_N = 0;
    private static final int OP_T = 1;
    private static final int LAYOUT_COLS = 3;
    private static final int LAYOUT_BATCH_COUNT = 5;
    private static final int LAYOUT_BATCH_STRIDE = 6;
    private static final int PREF_MAX_WORKSPACE_BYTES = 1;
    private static final int PREF_REDUCTION_SCHEME_MASK = 3;
    private static final int PREF_MIN_ALIGNMENT_A_BYTES = 5; // then B, C, D
    private static final int CONFIG_SPLITK_NUM = 2;
    private static final int ALGO_BYTES = 64;
    private static final int RESULT_BYTES = 96; // algo, size_t workspace, int state, float waves, int reserved[4]
    private static final int RESULT_STATE = 72;
    private static final int CANDIDATES = 16;

    /**
     * What an algorithm is chosen for: {@code count} products of the same x, w [out, in] each.
     *
     * @param y    F32 or BF16
     * @param back x is [n, out] and y {@code x w} [n, in]: a gradient goes back through w
     */
    record Size(long in, long out, DType y, int count, boolean back) {
        private long xCols() {
            return back ? out : in;
        }

        private long yCols() {
            return back ? in : out;
        }
    }

    /**
     * Addresses of y, x and w, multiples of {@link #ALIGNMENT}, and elements from the first to the second y and w, multiples of 8.
     */
    record Operands(long y, long x, long w, long yStride, long wStride) {
    }

    /** Descriptors and the algorithm. */
    private record Plan(long operation, long w, long x, long y, MemorySegment algorithm) {
    }

    private static CudaBlasLt opened;

    private final CudaDevice device;
    private final SymbolLookup library = load();
    private final Arena arena = Arena.ofAuto();
    private final MethodHandle descCreate = bind("cublasLtMatmulDescCreate", ADDRESS, JAVA_INT, JAVA_INT);
    private final MethodHandle descSet = bind("cublasLtMatmulDescSetAttribute", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
    private final MethodHandle layoutCreate = bind("cublasLtMatrixLayoutCreate", ADDRESS, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private final MethodHandle layoutSet = bind("cublasLtMatrixLayoutSetAttribute", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
    private final MethodHandle prefCreate = bind("cublasLtMatmulPreferenceCreate", ADDRESS);
    private final MethodHandle prefSet = bind("cublasLtMatmulPreferenceSetAttribute", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
    /** algorithm, attribute, value, bytes, written. */
    private final MethodHandle configGet = bind("cublasLtMatmulAlgoConfigGetAttribute", ADDRESS, JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS);
    /** handle, operation, a, b, c, d, preference, wanted, results, found. */
    private final MethodHandle heuristic = bind("cublasLtMatmulAlgoGetHeuristic", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG,
            JAVA_INT, ADDRESS, ADDRESS);
    /** handle, operation, a, b, c, d, algorithm, result. */
    private final MethodHandle algorithmCheck = bind("cublasLtMatmulAlgoCheck", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS, ADDRESS);
    /** handle, operation, alpha, a and layout, b and layout, beta, c and layout, d and layout, algorithm, workspace and bytes, stream. */
    private final MethodHandle matmul = bind("cublasLtMatmul", JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG,
            JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private final long handle;
    private final long preference;
    private final Map<Size, Plan> plans = new HashMap<>();
    private final MemorySegment one = arena.allocateFrom(JAVA_FLOAT, 1f);
    private final MemorySegment zero = arena.allocateFrom(JAVA_FLOAT, 0f);
    private final MemorySegment word = arena.allocate(8, 8);
    private final String version;

    /**
     * The library of this process.
     *
     * @throws BackendUnavailableException if none can be loaded, or what was loaded does not work
     */
    static synchronized CudaBlasLt open(CudaDevice device) {
        if (opened == null) {
            try {
                opened = new CudaBlasLt(device);
            } catch (CudaException | NoSuchElementException e) {
                throw new BackendUnavailableException("cublasLt does not work: " + e.getMessage(), e);
            }
            LOG.log(System.Logger.Level.INFO, "products of many rows by " + opened);
        }
        return opened;
    }

    private CudaBlasLt(CudaDevice device) {
        this.device = device;
        device.makeCurrent();
        handle = create(bind("cublasLtCreate", ADDRESS));
        preference = create(prefCreate);
        set(prefSet, preference, PREF_MAX_WORKSPACE_BYTES, WORKSPACE, 8);
        set(prefSet, preference, PREF_REDUCTION_SCHEME_MASK, 0, 4);
        for (int i = 0; i < 4; i++) {
            set(prefSet, preference, PREF_MIN_ALIGNMENT_A_BYTES + i, ALIGNMENT, 4);
        }
        version = version();
    }

    /** As {@code LD_LIBRARY_PATH} and the system find it, else where CUDA is usually installed. */
    private static SymbolLookup load() {
        List<String> folders = new ArrayList<>();
        if (System.getenv("CUDA_HOME") != null) {
            folders.add(System.getenv("CUDA_HOME") + "/lib64");
        }
        folders.add("/usr/local/cuda/lib64");
        for (String name : LIBRARIES) {
            try {
                return SymbolLookup.libraryLookup(name, Arena.global());
            } catch (IllegalArgumentException e) {
                LOG.log(System.Logger.Level.DEBUG, name + " cannot be loaded");
            }
            for (String folder : folders) {
                Path file = Path.of(folder, name);
                if (Files.exists(file)) {
                    try {
                        return SymbolLookup.libraryLookup(file, Arena.global());
                    } catch (IllegalArgumentException e) {
                        LOG.log(System.Logger.Level.DEBUG, file + " cannot be loaded");
                    }
                }
            }
        }
        throw new BackendUnavailableException("none of " + String.join(", ", LIBRARIES) + " can be loaded; HINT: add its folder to LD_LIBRARY_PATH");
    }

    private String version() {
        try {
            long number = (long) Linker.nativeLinker().downcallHandle(library.findOrThrow("cublasLtGetVersion"), FunctionDescriptor.of(JAVA_LONG)).invokeExact();
            return number / 10_000 + "." + number / 100 % 100 + "." + number % 100;
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    /**
     * {@code y[n, out] = x[n, in] w[out, in]^T}, or {@code y[n, in] = x[n, out] w[out, in]}, plus what y held if {@code onto}; x and w bf16.
     *
     * @param workspace address of {@link #WORKSPACE} bytes, aligned to 256
     */
    synchronized void product(Size size, Operands at, long n, boolean onto, long workspace) {
        if (n == 0) {
            return;
        }
        device.makeCurrent();
        Plan plan = plans.computeIfAbsent(size, this::plan);
        set(layoutSet, plan.x(), LAYOUT_COLS, n, 8);
        set(layoutSet, plan.y(), LAYOUT_COLS, n, 8);
        if (size.count() > 1) {
            set(layoutSet, plan.w(), LAYOUT_BATCH_STRIDE, at.wStride(), 8);
            set(layoutSet, plan.y(), LAYOUT_BATCH_STRIDE, at.yStride(), 8);
        }
        MemorySegment beta = onto ? one : zero;
        try {
            check((int) matmul.invokeExact(handle, plan.operation(), one, at.w(), plan.w(), at.x(), plan.x(), beta, at.y(), plan.y(), at.y(),
                    plan.y(), plan.algorithm(), workspace, WORKSPACE, device.stream()), "cublasLtMatmul of " + n + " rows by " + size);
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    /** Column by column, as cublasLt sees it: y [out, n] = w [in, out]^T x [in, n], or back y [in, n] = w [in, out] x [out, n]. */
    private Plan plan(Size size) {
        try {
            check((int) descCreate.invokeExact(word, COMPUTE_32F, R_32F), "cublasLtMatmulDescCreate");
            long operation = word.get(JAVA_LONG, 0);
            set(descSet, operation, DESC_TRANSA, size.back() ? OP_N : OP_T, 4);
            long w = layout(R_16BF, size.in(), size.out(), size.count(), size.in() * size.out());
            long x = layout(R_16BF, size.xCols(), ROWS, size.count(), 0);
            long y = layout(size.y() == DType.F32 ? R_32F : R_16BF, size.yCols(), ROWS, size.count(), ROWS * size.yCols());
            MemorySegment results = arena.allocate(RESULT_BYTES * CANDIDATES, 8);
            MemorySegment found = arena.allocate(JAVA_INT);
            check((int) heuristic.invokeExact(handle, operation, w, x, y, y, preference, CANDIDATES, results, found), "cublasLtMatmulAlgoGetHeuristic");
            for (int i = 0; i < found.get(JAVA_INT, 0); i++) {
                MemorySegment algorithm = results.asSlice((long) i * RESULT_BYTES, ALGO_BYTES);
                if (results.get(JAVA_INT, (long) i * RESULT_BYTES + RESULT_STATE) == 0 && parts(algorithm) <= 1 && fits(algorithm, operation, w, x, y)) {
                    LOG.log(System.Logger.Level.DEBUG, "cublasLt: candidate " + i + " of " + found.get(JAVA_INT, 0) + " for " + size);
                    return new Plan(operation, w, x, y, algorithm);
                }
            }
            throw new CudaException("cublasLt has no algorithm for " + size + " on " + device);
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    /** Whether an algorithm takes any number of rows: some are for those that divide evenly. */
    private boolean fits(MemorySegment algorithm, long operation, long w, long x, long y) throws Throwable {
        try (Arena confined = Arena.ofConfined()) {
            MemorySegment result = confined.allocate(RESULT_BYTES, 8);
            boolean fits = true;
            for (long rows : OTHER_ROWS) {
                set(layoutSet, x, LAYOUT_COLS, rows, 8);
                set(layoutSet, y, LAYOUT_COLS, rows, 8);
                fits &= (int) algorithmCheck.invokeExact(handle, operation, w, x, y, y, algorithm, result) == 0
                        && result.get(JAVA_LONG, ALGO_BYTES) <= WORKSPACE;
            }
            return fits;
        }
    }

    /** Into how many parts an algorithm splits the sum over k. */
    private int parts(MemorySegment algorithm) throws Throwable {
        try (Arena confined = Arena.ofConfined()) {
            MemorySegment value = confined.allocate(JAVA_INT);
            MemorySegment written = confined.allocate(JAVA_LONG);
            check((int) configGet.invokeExact(algorithm, CONFIG_SPLITK_NUM, value, 4L, written), "cublasLtMatmulAlgoConfigGetAttribute");
            return value.get(JAVA_INT, 0);
        }
    }

    private long layout(int type, long rows, long columns, int count, long stride) throws Throwable {
        check((int) layoutCreate.invokeExact(word, type, rows, columns, rows), "cublasLtMatrixLayoutCreate");
        long layout = word.get(JAVA_LONG, 0);
        if (count > 1) {
            set(layoutSet, layout, LAYOUT_BATCH_COUNT, count, 4);
            set(layoutSet, layout, LAYOUT_BATCH_STRIDE, stride, 8);
        }
        return layout;
    }

    private long create(MethodHandle call) {
        try {
            check((int) call.invokeExact(word), "a cublasLt object");
            return word.get(JAVA_LONG, 0);
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    private void set(MethodHandle call, long object, int attribute, long value, long bytes) {
        word.set(JAVA_LONG, 0, value);
        try {
            check((int) call.invokeExact(object, attribute, word, bytes), "attribute " + attribute);
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    private MethodHandle bind(String name, MemoryLayout... parameters) {
        return Linker.nativeLinker().downcallHandle(library.findOrThrow(name), FunctionDescriptor.of(JAVA_INT, parameters));
    }

    private void check(int status, String what) {
        if (status != 0) {
            throw new CudaException(what + ": cublasLt status " + status + " on " + device);
        }
    }

    /** {@code cublasLt 13.0.2}. */
    @Override
    public String toString() {
        return "cublasLt " + version;
    }

    /** The file that the library was loaded from; empty if the system does not tell. */
    static String file() {
        try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
            return maps.filter(line -> line.contains("/libcublasLt.so")).map(line -> line.substring(line.indexOf('/'))).findFirst().orElse("");
        } catch (IOException e) {
            return "";
        }
    }
}
