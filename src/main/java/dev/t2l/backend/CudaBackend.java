package dev.t2l.backend;

import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The kernels of {@code cuda/} on an NVIDIA GPU of compute capability 8.0 or newer: activations and sums in f32, weights in their
 * file's format.
 *
 * <p>F32, F16, BF16, Q4_0, Q4_1, Q8_0, Q4_K and Q6_K weights lie on the device as in the file; any other type becomes f32 when it is
 * placed. Calls return when the work is handed over; it runs in the order of the calls, those of all threads without a {@link #lane}
 * on one stream ({@link CudaDevice}), and {@link #download} waits for it. An index outside its table, which only the device sees, and a
 * kernel that failed, are reported there, or to whoever waits next.
 *
 * <p>{@link #decoding()} has products and attention for few rows: matrix-vector kernels ({@link CudaThin}), keys split over blocks.
 * {@link #prefilling()} has products for many ({@link CudaDense}), and attention on the tensor cores for models in bf16.
 *
 * <p>On compute capability 9.0, products of bf16 weights whose rows are a multiple of 64, fused ones and those of a hypernetwork's heads
 * among them, go through kernels of that capability's own ({@link CudaPanels}), in this view and where {@link #prefilling()} finds no
 * library; {@code -Dt2l.cuda.panels=false} keeps the kernels of older devices for them.
 */
public final class CudaBackend implements Backend {
    private static final int THREADS = 256;
    private static final long MOST_BLOCKS = 4096;

    enum View {
        PLAIN, DECODING, PREFILLING
    }

    private final CudaKernels shared;
    private final View view;
    private final boolean few;
    private final boolean plain;

    CudaBackend(CudaKernels shared, View view) {
        this.shared = shared;
        this.view = view;
        this.few = view == View.DECODING;
        this.plain = view == View.PLAIN;
    }

    /** @throws BackendUnavailableException with the reason in one line */
    static CudaBackend open() {
        try {
            return new CudaBackend(new CudaKernels(), View.PLAIN);
        } catch (CudaException | jcuda.CudaException e) {
            throw new BackendUnavailableException("the GPU cannot be used: " + e.getMessage(), e);
        }
    }

    private CudaKernels kernels() {
        if (shared.closed) {
            throw new IllegalStateException("the cuda backend was closed");
        }
        return shared;
    }

    @Override
    public String name() {
        return "cuda";
    }

    @Override
    public String description() {
        return "cuda (" + shared.device + ")";
    }

    @Override
    public OptionalLong memoryInUse() {
        return OptionalLong.of(shared.device.memory() - shared.device.free());
    }

    @Override
    public Map<String, String> details() {
        Map<String, String> details = shared.device.details();
        String library = products(); // looks for it
        details.put("products", library + (CudaBlasLt.file().isEmpty() ? "" : " (" + CudaBlasLt.file() + ")"));
        return details;
    }

    @Override
    public Backend decoding() {
        return shared.decoding;
    }

    @Override
    public Backend prefilling() {
        return shared.prefilling;
    }

    /** Who makes products of bf16 weights with many rows: {@code cublasLt 13.0.2}, or our own tiles and why. Looks for the library. */
    public String products() {
        return kernels().products.dense().describe();
    }

    /** Frees what {@link #place} took and refuses further calls; the device itself stays open for the next backend. */
    @Override
    public void close() {
        if (view == View.PLAIN) {
            shared.closed = true;
            shared.slabs.close();
        }
    }

    // Memory

    @Override
    public Memory allocate(long bytes) {
        return CudaMemory.passing(kernels().device, bytes, "activations, caches or adapters", true);
    }

    @Override
    public Memory allocateUnwritten(long bytes) {
        return CudaMemory.passing(kernels().device, bytes, "activations, caches or adapters", false);
    }

    @Override
    public void upload(Tensor to, MemorySegment from) {
        kernels().device.transfer().upload(to.address(), from, to.bytes());
    }

    @Override
    public void download(MemorySegment to, Tensor from) {
        kernels().device.transfer().download(to, from);
    }

    @Override
    public void copy(Tensor to, Tensor from) {
        if (to.bytes() != from.bytes()) {
            throw new IllegalArgumentException("copy: " + from + " into " + to + ", which is of another size");
        }
        kernels().device.transfer().copy(to.address(), from.address(), from.bytes());
    }

    @Override
    public void await() {
        kernels().device.synchronise();
    }

    @Override
    public Placement placement() {
        return new CudaSlabs(kernels().device);
    }

    @Override
    public Tensor place(Tensor host) {
        return kernels().slabs.place(host);
    }

    // Order of work

    /**
     * A stream of the thread's own. Which stream memory belongs to does not matter as long as whoever works with it on another one comes
     * behind: after the lane that made it was closed, or after this one waited for it (a download, {@link #await}). Memory is given back
     * behind all that its thread, threads without a lane, and closed lanes have handed over. That leaves only work on a lane that is still
     * open elsewhere, and of that the owner knows: models, encoders and adapters let a request pass their gate until its results were
     * downloaded or awaited, and free nothing before.
     */
    @Override
    public Lane lane() {
        return kernels().device.lane();
    }

    @Override
    public Recording record(Runnable work) {
        CudaDevice device = kernels().device;
        return CudaRecording.ENABLED ? new CudaRecording(device, this::kernels, work) : Backend.super.record(work);
    }

    @Override
    public boolean replays() {
        return CudaRecording.ENABLED;
    }

    @Override
    public Memory pinned(long bytes) {
        return kernels().device.pinned().allocate(bytes);
    }

    // Sizes

    @Override
    public int passRows() {
        return 2048;
    }

    /** An eighth of the device. */
    @Override
    public long idleBytes() {
        return kernels().device.memory() / 8;
    }

    // Rows

    @Override
    public void gather(Tensor out, long column, Tensor table, Tensor ids, float scale) {
        kernels().gather.args().pointer(out).i64(out.cols()).i64(column).pointer(table).i32(KernelTypes.require("gather", table)).i64(table.rows()).i64(table.cols())
                .pointer(ids).f32(scale).i64(shared.device.fault()).run(blocks(ids.elements(), 1), 1, 1, THREADS, 0);
    }

    @Override
    public void scatter(Tensor out, Tensor x, Tensor index) {
        kernels().scatter.args().pointer(out).i64(out.rows()).pointer(x).pointer(index).i64(x.cols()).i64(shared.device.fault())
                .run(blocks(index.elements(), 1), 1, 1, THREADS, 0);
    }

    @Override
    public void meanRows(Tensor out, Tensor x, Tensor ranges) {
        kernels().meanRows.args().pointer(out).pointer(x).i64(x.rows()).i64(x.cols()).pointer(ranges).i64(shared.device.fault())
                .run(blocks(x.cols(), 128), blocks(ranges.dim(0), 1), 1, 128, 0);
    }

    // Element-wise

    @Override
    public void add(Tensor y, Tensor x, float alpha) {
        kernels().add.args().pointer(y).pointer(x).i64(y.elements()).f32(alpha).run(spread(y), 1, 1, THREADS, 0);
    }

    @Override
    public void activation(Tensor out, Tensor x, Activation f) {
        gated(out, x, null, f);
    }

    @Override
    public void gated(Tensor out, Tensor gate, Tensor up, Activation f) {
        kernels().products.gated(out, gate, up, f);
    }

    @Override
    public void softcap(Tensor x, float cap) {
        kernels().softcap.args().pointer(x).i64(x.elements()).f32(cap).run(spread(x), 1, 1, THREADS, 0);
    }

    // Norms

    @Override
    public void rmsNorm(Tensor out, Tensor x, Tensor weight, float eps, float weightOffset) {
        kernels().rmsNorm.args().pointer(out).pointer(x).i64(x.cols()).pointer(weight).i32(KernelTypes.require("rmsNorm", weight)).f32(eps).f32(weightOffset)
                .run(blocks(x.rows(), 1), 1, 1, THREADS, 0);
    }

    @Override
    public void layerNorm(Tensor out, Tensor x, Tensor weight, Tensor bias, float eps) {
        layerNorm(out, x, null, weight, bias, eps);
    }

    @Override
    public void addLayerNorm(Tensor x, Tensor branch, Tensor weight, Tensor bias, float eps) {
        layerNorm(x, x, branch, weight, bias, eps);
    }

    private void layerNorm(Tensor out, Tensor x, Tensor residual, Tensor weight, Tensor bias, float eps) {
        kernels().layerNorm.args().pointer(out).pointer(x).pointer(residual).i64(x.cols()).pointer(weight).i32(KernelTypes.require("layerNorm", weight)).pointer(bias)
                .i32(KernelTypes.require("layerNorm", bias)).f32(eps).run(blocks(x.rows(), 1), 1, 1, THREADS, 0);
    }

    @Override
    public void l2Normalise(Tensor x, float scale) {
        kernels().l2Normalise.args().pointer(x).i64(x.cols()).f32(scale).run(blocks(x.rows(), 1), 1, 1, THREADS, 0);
    }

    // Products

    @Override
    public void linear(Tensor y, Tensor x, Tensor w, Tensor bias) {
        loraLinear(y, x, w, bias, null);
    }

    @Override
    public void lora(Tensor y, Tensor x, LoraRows rows) {
        kernels().products.lora(y, x, rows);
    }

    @Override
    public void route(Tensor x, LoraRows rows) {
        kernels().products.route(x, rows);
    }

    @Override
    public void loraLinear(Tensor y, Tensor x, Tensor w, Tensor bias, LoraRows rows) {
        CudaDense dense = dense();
        var product = new Product(y, w, bias, rows);
        if (few ? !thin().product(x, product) : dense == null || !dense.products(x, List.of(product))) {
            kernels().products.loraLinear(y, x, w, bias, rows, few);
        }
    }

    @Override
    public void products(Tensor x, List<Product> products) {
        CudaDense dense = dense();
        if (!(few ? thin().products(x, products) : dense == null ? plain && kernels().products.products(x, products) : dense.products(x, products))) {
            Backend.super.products(x, products);
        }
    }

    @Override
    public void normedProducts(Tensor h, Tensor x, Norm norm, List<Product> products) {
        CudaDense dense = dense();
        if (few ? !thin().normedProducts(x, norm, products) : dense == null || !dense.normedProducts(x, norm, products)) {
            Backend.super.normedProducts(h, x, norm, products);
        }
    }

    @Override
    public void gatedProduct(Tensor h, Tensor x, Norm norm, Product gate, Product up, Activation f) {
        if (few && thin().gatedProduct(x, norm, gate, up, f)) {
            return;
        }
        if (dense() == null) {
            if (norm != null) {
                rmsNorm(h, x, norm.weight(), norm.eps(), norm.weightOffset());
            }
            Tensor in = norm == null ? x : h;
            if (!plain || !kernels().products.gatedProduct(in, gate, up, f)) {
                Backend.super.gatedProduct(null, in, null, gate, up, f);
            }
            return;
        }
        List<Product> both = List.of(gate, up);
        if (norm == null) {
            products(x, both);
        } else {
            normedProducts(h, x, norm, both);
        }
        gated(gate.y(), gate.y(), up.y(), f);
    }

    @Override
    public void addProduct(Tensor x, Tensor in, Product product) {
        CudaDense dense = dense();
        if (!(few ? thin().addProduct(x, in, product) : dense == null ? plain && kernels().products.addProduct(x, in, product) : dense.addProduct(x, in, product))) {
            Backend.super.addProduct(x, in, product);
        }
    }

    @Override
    public void activatedLinear(Tensor y, Tensor x, Tensor w, Tensor bias, Activation f, Tensor residual) {
        if (!(few ? thin().activatedLinear(x, new Product(y, w, bias, null), f, residual)
                : plain && kernels().products.activatedLinear(y, x, w, bias, f, residual))) {
            Backend.super.activatedLinear(y, x, w, bias, f, residual);
        }
    }

    @Override
    public void gatedMlp(Tensor h, Tensor x, Norm norm, Product gate, Product up, Product down, Activation f) {
        CudaDense dense = dense();
        if (dense == null || !dense.gatedMlp(x, norm, gate, up, down, f)) {
            Backend.super.gatedMlp(h, x, norm, gate, up, down, f);
        }
    }

    /** Who makes the products of the view for few rows. */
    private CudaThin thin() {
        return kernels().products.thin();
    }

    /** Who makes this view's products, alone or fused; null if not a library. */
    private CudaDense dense() {
        return view == View.PREFILLING ? kernels().products.dense() : null;
    }

    @Override
    public void loraFactor(Tensor out, Tensor y, LoraFactor source, Tensor scale, Tensor shift) {
        kernels().products.loraFactor(out, y, source, scale, shift);
    }

    @Override
    public void heads(List<Head> heads, Tensor scratch) {
        if (!kernels().products.heads(heads)) {
            Backend.super.heads(heads, scratch);
        }
    }

    @Override
    public void hyperBody(Tensor x, TaskEncoder task, List<FeedForward> blocks) {
        if (!plain || !kernels().products.hyperBody(x, task, blocks)) {
            Backend.super.hyperBody(x, task, blocks);
        }
    }

    // Attention

    @Override
    public void encoderLayers(Tensor x, List<EncoderLayer> layers, EncoderRows rows) {
        if (!plain || !kernels().products.encoderLayers(x, layers, rows)) {
            Backend.super.encoderLayers(x, layers, rows);
        }
    }

    @Override
    public void ropeAngles(Tensor out, Tensor positions, Tensor invFreq, float factor) {
        kernels().rope.angles(out, positions, invFreq, factor);
    }

    @Override
    public void rope(Tensor x, Tensor angles, boolean interleaved) {
        kernels().rope.rope(x, angles, interleaved);
    }

    @Override
    public void ropeStore(Tensor q, Tensor k, Tensor v, Tensor angles, boolean interleaved, Tensor keys, Tensor values, Tensor index) {
        kernels().rope.store(q, k, v, angles, interleaved, keys, values, index);
    }

    @Override
    public void attention(Tensor out, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec) {
        if (few) {
            kernels().attention.decode(out, q, k, v, ranges, spec);
        } else {
            kernels().attention.prefill(out, q, k, v, ranges, spec, view == View.PREFILLING);
        }
    }

    @Override
    public Gradients gradients() {
        return new CudaGradients(kernels().gradients(), dense());
    }

    @Override
    public Mixed mixed() {
        return new CudaMixed(this, kernels().mixed(), dense());
    }

    // Sampling

    @Override
    public void sample(Tensor tokens, Tensor logits, Tensor choices) {
        kernels().sample.run(tokens, logits, choices);
    }

    /** Blocks of {@code each} items for n. */
    private static int blocks(long n, int each) {
        return Math.toIntExact((n + each - 1) / each);
    }

    /** Blocks for kernels that go over a tensor's elements in steps of their whole grid. */
    private static int spread(Tensor x) {
        return (int) Math.min(MOST_BLOCKS, (x.elements() + THREADS - 1) / THREADS);
    }
}
