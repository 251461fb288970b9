package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Elements;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.stream.IntStream;

/**
 * The kernels of {@code native/}, called through Panama: f32 activations and sums, weights in their file's format.
 *
 * <p>F32, F16, BF16, Q4_0, Q4_1, Q8_0, Q4_K and Q6_K weights are read by the kernels as they lie in the file; rows of any other
 * type are dequantised by {@link Elements} on their way into a product, which is right but slow. Steady-state calls on the
 * types of the first list allocate nothing.
 *
 * <p>Threads: {@code -Dt2l.threads} (default: the processors that the JVM sees), shared by all backends with that number; they
 * sleep when idle and never keep the JVM from exiting. Calls from several Java threads queue, first come, first served.
 * {@code -Dt2l.isa=baseline|avx2|avx512} caps the instruction set.
 */
public final class CpuBackend extends HostBackend {
    private static final int UNPACKED_ROWS = 256;
    private static final String[] CODES = {"", "a size is negative or too large", "an index is outside its table", "a type the kernel does not know", "no memory"};

    private final long engine;
    private final Isa isa;
    private final int threads;
    private final Gradients gradients = new CpuGradients(this);
    private volatile boolean closed;

    private CpuBackend(long engine, Isa isa, int threads) {
        this.engine = engine;
        this.isa = isa;
        this.threads = threads;
    }

    static CpuBackend open() {
        Isa cap = Isa.cap();
        Isa best = best();
        return open(cap.compareTo(best) < 0 ? cap : best, threads());
    }

    /** @throws BackendUnavailableException if the library or this instruction set cannot be had */
    static CpuBackend open(Isa isa, int threads) {
        if (isa.compareTo(best()) > 0) {
            throw new BackendUnavailableException("this processor has no " + isa.label() + ", only " + best().label());
        }
        try {
            long engine = (long) CpuKernels.OPEN.invokeExact(isa.ordinal(), threads);
            if (engine == 0) {
                throw new BackendUnavailableException("no memory for " + threads + " threads of native kernels");
            }
            return new CpuBackend(engine, isa, threads);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** The best instruction set of this processor. */
    static Isa best() {
        NativeLibrary.open();
        try {
            return Isa.values()[(int) CpuKernels.BEST_ISA.invokeExact()];
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public String description() {
        return "cpu (" + isa.label() + ", " + threads + (threads == 1 ? " thread)" : " threads)");
    }

    @Override
    public Gradients gradients() {
        return gradients;
    }

    /** Refuses further calls. The library and its sleeping threads stay for the next backend. */
    @Override
    public void close() {
        closed = true;
    }

    long engine() {
        if (closed) {
            throw new IllegalStateException("the cpu backend was closed");
        }
        return engine;
    }

    // Rows

    @Override
    public void gather(Tensor out, long column, Tensor table, Tensor ids, float scale) {
        int type = KernelTypes.code(table.dtype());
        if (type < 0) {
            gatherUnpacked(out, column, table, ids, scale);
            return;
        }
        int result;
        try {
            result = (int) CpuKernels.GATHER.invokeExact(engine(), out.address(), out.cols(), column, table.address(), type, table.rows(),
                    table.cols(), ids.address(), ids.elements(), scale);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("gather", result, out, table, ids, null, null);
    }

    private static void gatherUnpacked(Tensor out, long column, Tensor table, Tensor ids, float scale) {
        float[] row = new float[Math.toIntExact(table.cols())];
        for (long i = 0; i < ids.elements(); i++) {
            Elements.readRow(table, ids.getInt(i), row, 0);
            for (int j = 0; j < row.length; j++) {
                out.setFloat(i * out.cols() + column + j, row[j] * scale);
            }
        }
    }

    @Override
    public void scatter(Tensor out, Tensor x, Tensor index) {
        int result;
        try {
            result = (int) CpuKernels.SCATTER.invokeExact(engine(), out.address(), out.rows(), x.address(), index.address(), index.elements(), x.cols());
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("scatter", result, out, x, index, null, null);
    }

    @Override
    public void meanRows(Tensor out, Tensor x, Tensor ranges) {
        int result;
        try {
            result = (int) CpuKernels.MEAN_ROWS.invokeExact(engine(), out.address(), x.address(), x.rows(), x.cols(), ranges.address(), ranges.dim(0));
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("meanRows", result, out, x, ranges, null, null);
    }

    // Element-wise

    @Override
    public void add(Tensor y, Tensor x, float alpha) {
        int result;
        try {
            result = (int) CpuKernels.ADD.invokeExact(engine(), y.address(), x.address(), y.elements(), alpha);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("add", result, y, x, null, null, null);
    }

    @Override
    public void activation(Tensor out, Tensor x, Activation f) {
        int result;
        try {
            result = (int) CpuKernels.ACTIVATION.invokeExact(engine(), out.address(), x.address(), x.elements(), f.ordinal());
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("activation", result, out, x, null, null, null);
    }

    @Override
    public void gated(Tensor out, Tensor gate, Tensor up, Activation f) {
        int result;
        try {
            result = (int) CpuKernels.GATED.invokeExact(engine(), out.address(), gate.address(), up.address(), gate.elements(), f.ordinal());
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("gated", result, out, gate, up, null, null);
    }

    @Override
    public void softcap(Tensor x, float cap) {
        int result;
        try {
            result = (int) CpuKernels.SOFTCAP.invokeExact(engine(), x.address(), x.elements(), cap);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("softcap", result, x, null, null, null, null);
    }

    // Norms

    @Override
    public void rmsNorm(Tensor out, Tensor x, Tensor weight, float eps, float weightOffset) {
        Tensor w = plain(weight);
        int result;
        try {
            result = (int) CpuKernels.RMS_NORM.invokeExact(engine(), out.address(), x.address(), x.rows(), x.cols(), w.address(), KernelTypes.code(w.dtype()), eps, weightOffset);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("rmsNorm", result, out, x, w, null, null);
    }

    @Override
    public void layerNorm(Tensor out, Tensor x, Tensor weight, Tensor bias, float eps) {
        Tensor w = plain(weight);
        Tensor b = plain(bias);
        int result;
        try {
            result = (int) CpuKernels.LAYER_NORM.invokeExact(engine(), out.address(), x.address(), x.rows(), x.cols(), w.address(), KernelTypes.code(w.dtype()),
                    b.address(), KernelTypes.code(b.dtype()), eps);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("layerNorm", result, out, x, w, b, null);
    }

    @Override
    public void l2Normalise(Tensor x, float scale) {
        int result;
        try {
            result = (int) CpuKernels.L2_NORMALISE.invokeExact(engine(), x.address(), x.rows(), x.cols(), scale);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("l2Normalise", result, x, null, null, null, null);
    }

    // Products

    @Override
    public void linear(Tensor y, Tensor x, Tensor w, Tensor bias) {
        Tensor b = bias == null ? null : plain(bias);
        if (KernelTypes.code(w.dtype()) >= 0) {
            linear(y, 0, x, w, b);
            return;
        }
        unpacked(w, (from, tile) -> linear(y, from, x, tile, b == null ? null : b.slice(from, from + tile.rows())));
    }

    /** What is done with rows of a weight as f32, the first of them row {@code from}. */
    interface UnpackedRows {
        void accept(long from, Tensor tile);
    }

    /** A weight of a type that no kernel reads, some rows after the other. */
    static void unpacked(Tensor w, UnpackedRows then) {
        try (Arena arena = Arena.ofConfined()) {
            Tensor tile = Tensor.allocate(arena, DType.F32, Math.min(UNPACKED_ROWS, w.rows()), w.cols());
            float[] values = new float[Math.toIntExact(tile.elements())];
            int cols = (int) w.cols();
            for (long from = 0; from < w.rows(); from += UNPACKED_ROWS) {
                long first = from;
                int rows = (int) Math.min(UNPACKED_ROWS, w.rows() - from);
                IntStream.range(0, rows).parallel().forEach(r -> Elements.readRow(w, first + r, values, r * cols));
                MemorySegment.copy(values, 0, tile.data(), ValueLayout.JAVA_FLOAT_UNALIGNED, 0, rows * cols);
                then.accept(from, tile.prefix(rows, w.cols()));
            }
        }
    }

    /** Columns {@code [from, from + w.rows())} of y. */
    private void linear(Tensor y, long from, Tensor x, Tensor w, Tensor bias) {
        int result;
        try {
            result = (int) CpuKernels.LINEAR.invokeExact(engine(), y.address() + 4 * from, y.cols(), x.address(), x.rows(), w.cols(), w.address(),
                    KernelTypes.code(w.dtype()), w.rows(), bias == null ? 0L : bias.address(), bias == null ? 0 : KernelTypes.code(bias.dtype()));
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("linear", result, y, x, w, bias, null);
    }

    @Override
    public void lora(Tensor y, Tensor x, LoraRows rows) {
        int result;
        try {
            result = (int) CpuKernels.LORA.invokeExact(engine(), y.address(), x.address(), x.rows(), x.cols(), y.cols(), rows.table().address(),
                    (long) rows.factors().size(), rows.slots().address(), rows.weights().address(), rows.slots().cols(), (long) rows.headDim());
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("lora", result, y, x, rows.slots(), rows.weights(), rows.table());
        Reference.reachabilityFence(rows);
    }

    @Override
    public void route(Tensor x, LoraRows rows) {
        LoraRows.Routing routing = rows.routing();
        int result;
        try {
            result = (int) CpuKernels.ROUTE.invokeExact(engine(), rows.weights().address(), x.address(), x.rows(), x.cols(), routing.table().address(),
                    (long) routing.prototypes().size(), rows.slots().address(), routing.given().address(), routing.choices().address(), rows.slots().cols());
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("route", result, rows.weights(), x, rows.slots(), routing.given(), routing.choices());
        Reference.reachabilityFence(rows);
    }

    @Override
    public void loraFactor(Tensor out, Tensor y, LoraFactor source, Tensor scale, Tensor shift) {
        boolean transposed = source.transposed();
        int result;
        try {
            result = (int) CpuKernels.LORA_FACTOR.invokeExact(engine(), out.address(), out.dim(0), out.dim(transposed ? 2 : 1), out.dim(transposed ? 1 : 2),
                    y.address() + 4 * source.start(), source.layerStride(), source.rankStride(), transposed ? 1 : 0,
                    scale == null ? 0L : scale.address(), shift == null ? 0L : shift.address());
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("loraFactor", result, out, y, scale, shift, null);
    }

    // Attention

    @Override
    public void ropeAngles(Tensor out, Tensor positions, Tensor invFreq, float factor) {
        int result;
        try {
            result = (int) CpuKernels.ROPE_ANGLES.invokeExact(engine(), out.address(), positions.address(), positions.elements(), invFreq.address(), invFreq.elements(), factor);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("ropeAngles", result, out, positions, invFreq, null, null);
    }

    @Override
    public void rope(Tensor x, Tensor angles, boolean interleaved) {
        int result;
        try {
            result = (int) CpuKernels.ROPE.invokeExact(engine(), x.address(), x.rows(), x.cols() / angles.cols(), angles.cols() / 2, angles.address(), interleaved ? 1 : 0);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("rope", result, x, angles, null, null, null);
    }

    @Override
    public void attention(Tensor out, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec) {
        int result;
        try {
            result = (int) CpuKernels.ATTENTION.invokeExact(engine(), out.address(), q.address(), q.rows(), k.address(), v.address(), k.rows(), ranges.address(),
                    (long) spec.heads(), (long) spec.kvHeads(), (long) spec.headDim(), (long) spec.window(), spec.scale(), spec.softcap());
        } catch (Throwable t) {
            throw unexpected(t);
        }
        finish("attention", result, out, q, k, v, ranges);
    }

    /** A norm's weight or a bias, in a type that the kernels read element by element. */
    static Tensor plain(Tensor vector) {
        return switch (vector.dtype()) {
            case F32, F16, BF16 -> vector;
            default -> Tensor.ofFloats(vector.toFloats(), vector.shape());
        };
    }

    /** Turns an error into an exception, and keeps the memory of the tensors until here: kernels got bare addresses. */
    static void finish(String kernel, int result, Tensor a, Tensor b, Tensor c, Tensor d, Tensor e) {
        if (result != 0) {
            throw failure(kernel, result, a, b, c, d, e);
        }
        Reference.reachabilityFence(a);
        Reference.reachabilityFence(b);
        Reference.reachabilityFence(c);
        Reference.reachabilityFence(d);
        Reference.reachabilityFence(e);
    }

    private static RuntimeException failure(String kernel, int result, Tensor... tensors) {
        var text = new StringBuilder("native kernel ").append(kernel).append('(');
        for (Tensor t : tensors) {
            text.append(t == null ? "" : (text.charAt(text.length() - 1) == '(' ? "" : ", ") + t);
        }
        text.append("): ").append(result < CODES.length ? CODES[result] : "error " + result);
        return result == 2 ? new IndexOutOfBoundsException(text.toString()) : new IllegalArgumentException(text.toString());
    }

    static RuntimeException unexpected(Throwable t) {
        if (t instanceof Error error) {
            throw error;
        }
        return t instanceof RuntimeException e ? e : new IllegalStateException(t);
    }
}
