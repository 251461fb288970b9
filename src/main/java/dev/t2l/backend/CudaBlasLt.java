package dev.t2l.backend;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Dense products of bf16 matrices with f32 sums by NVIDIA's cublasLt, bound by Panama.
 *
 * <p>The algorithm is chosen once for every size of weight, for {@link #ROWS} rows of x, without splitting the sum over k, and used for
 * any number of rows, so a row's bits do not depend on the others. Threads take turns.
 */
final class CudaBlasLt {
    private static final System.Logger LOG = System.getLogger("dev.t2l.cuda");
    private static final List<String> LIBRARIES = List.of("libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so");
    /** Workspace that the caller provides. */
    static final long WORKSPACE = 32 << 20;
    private static final long ROWS = 2048;

    // cublasLt.h, library_types.h
    private static final int R_32F = 0;
    private static final int R_16BF = 14;
    private static final int COMPUTE_32F = 68;
    private static final int DESC_TRANSA = 3;
    private static final int OP_T = 1;
    private static final int LAYOUT_COLS = 3;
    private static final int PREF_MAX_WORKSPACE_BYTES = 1;
    private static final int PREF_REDUCTION_SCHEME_MASK = 3;
    private static final int PREF_MIN_ALIGNMENT_A_BYTES = 5; // then B, C, D
    private static final long ALIGNMENT = 16;
    private static final int ALGO_BYTES = 64;
    private static final int RESULT_BYTES = 96; // algo, size_t workspace, int state, float waves, int reserved[4]

    /** What serves one size of weight: descriptors and the algorithm. */
    private record Plan(long operation, long w, long x, long y, MemorySegment algorithm) {
    }

    private record Size(long in, long out) {
    }

    private final CudaDevice device;
    private final SymbolLookup library = load();
    private final Arena arena = Arena.ofAuto();
    private final MethodHandle descCreate = bind("cublasLtMatmulDescCreate", ADDRESS, JAVA_INT, JAVA_INT);
    private final MethodHandle descSet = bind("cublasLtMatmulDescSetAttribute", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
    private final MethodHandle layoutCreate = bind("cublasLtMatrixLayoutCreate", ADDRESS, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private final MethodHandle layoutSet = bind("cublasLtMatrixLayoutSetAttribute", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
    private final MethodHandle prefCreate = bind("cublasLtMatmulPreferenceCreate", ADDRESS);
    private final MethodHandle prefSet = bind("cublasLtMatmulPreferenceSetAttribute", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
    /** handle, operation, a, b, c, d, preference, wanted, results, found. */
    private final MethodHandle heuristic = bind("cublasLtMatmulAlgoGetHeuristic", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG,
            JAVA_INT, ADDRESS, ADDRESS);
    /** handle, operation, alpha, a and layout, b and layout, beta, c and layout, d and layout, algorithm, workspace and bytes, stream. */
    private final MethodHandle matmul = bind("cublasLtMatmul", JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG,
            JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private final long handle;
    private final long preference;
    private final Map<Size, Plan> plans = new HashMap<>();
    private final MemorySegment one = arena.allocateFrom(JAVA_FLOAT, 1f);
    private final MemorySegment zero = arena.allocateFrom(JAVA_FLOAT, 0f);
    private final MemorySegment word = arena.allocate(8, 8);

    /** @throws BackendUnavailableException if no cublasLt can be loaded */
    CudaBlasLt(CudaDevice device) {
        this.device = device;
        device.makeCurrent();
        handle = create(bind("cublasLtCreate", ADDRESS));
        preference = create(prefCreate);
        set(prefSet, preference, PREF_MAX_WORKSPACE_BYTES, WORKSPACE, 8);
        set(prefSet, preference, PREF_REDUCTION_SCHEME_MASK, 0, 4);
        for (int i = 0; i < 4; i++) {
            set(prefSet, preference, PREF_MIN_ALIGNMENT_A_BYTES + i, ALIGNMENT, 4);
        }
        LOG.log(System.Logger.Level.INFO, "dense products by cublasLt");
    }

    private static SymbolLookup load() {
        for (String name : LIBRARIES) {
            try {
                return SymbolLookup.libraryLookup(name, Arena.global());
            } catch (IllegalArgumentException e) {
                LOG.log(System.Logger.Level.DEBUG, name + " cannot be loaded");
            }
        }
        throw new BackendUnavailableException("-Dt2l.cuda.gemm=cublaslt: none of " + LIBRARIES + " can be loaded; HINT: add its folder to LD_LIBRARY_PATH");
    }

    /**
     * {@code y[n, out] = x[n, in] w[out, in]^T}: y f32, x and w bf16, all at multiples of 16 bytes.
     *
     * @param workspace address of {@link #WORKSPACE} bytes, aligned to 256
     */
    synchronized void product(long y, long x, long w, long n, long in, long out, long workspace) {
        device.makeCurrent();
        Plan plan = plans.computeIfAbsent(new Size(in, out), this::plan);
        set(layoutSet, plan.x(), LAYOUT_COLS, n, 8);
        set(layoutSet, plan.y(), LAYOUT_COLS, n, 8);
        try {
            check((int) matmul.invokeExact(handle, plan.operation(), one, w, plan.w(), x, plan.x(), zero, y, plan.y(), y, plan.y(), plan.algorithm(), workspace,
                    WORKSPACE, device.stream()), "cublasLtMatmul of " + n + " x " + in + " by " + out);
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    /** Column by column, as cublasLt sees it: y [out, n] = w [in, out]^T x [in, n]. */
    private Plan plan(Size size) {
        try {
            check((int) descCreate.invokeExact(word, COMPUTE_32F, R_32F), "cublasLtMatmulDescCreate");
            long operation = word.get(JAVA_LONG, 0);
            set(descSet, operation, DESC_TRANSA, OP_T, 4);
            long w = layout(R_16BF, size.in(), size.out());
            long x = layout(R_16BF, size.in(), ROWS);
            long y = layout(R_32F, size.out(), ROWS);
            MemorySegment result = arena.allocate(RESULT_BYTES, 8);
            MemorySegment found = arena.allocate(JAVA_INT);
            check((int) heuristic.invokeExact(handle, operation, w, x, y, y, preference, 1, result, found), "cublasLtMatmulAlgoGetHeuristic");
            if (found.get(JAVA_INT, 0) == 0) {
                throw new CudaException("cublasLt has no algorithm for " + size);
            }
            return new Plan(operation, w, x, y, result.asSlice(0, ALGO_BYTES));
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    private long layout(int type, long rows, long columns) throws Throwable {
        check((int) layoutCreate.invokeExact(word, type, rows, columns, rows), "cublasLtMatrixLayoutCreate");
        return word.get(JAVA_LONG, 0);
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
}
