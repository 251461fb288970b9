package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;
import java.util.Locale;

/**
 * The products of {@link CudaBackend#prefilling()}, with what comes before and after them: those whose weight is bf16 go through
 * {@link CudaBlasLt}, their input rounded to bf16 once for all products that it has unless it is, sums in f32 and results in what they are
 * wanted in; between the two halves of a gated MLP, results are bf16, too. What a result is added to (a residual, a bias, adapters) is there first, and the library
 * accumulates onto it.
 *
 * <p>{@code -Dt2l.cuda.gemm=auto}, the default, is this; {@code own} stays with {@code cuda/lineartiles.cu}, without that rounding; {@code
 * cublaslt} also turns quantised weights into bf16 each time they are used, and is an error where the library cannot be loaded. Other
 * weights, and sizes that are no multiple of eight, are not taken: every operation here says whether it was, and else does nothing.
 */
final class CudaDense {
    private static final System.Logger LOG = System.getLogger("dev.t2l.cuda");
    private static final int THREADS = 256;
    private static final int EACH = 8;
    private static final long MOST_BLOCKS = 8192;
    private static final int ADDEND_ROWS = 8;
    private static final int ADDEND_RANKS = 8;
    private static final int ADDEND_OUTPUTS = 1024;
    private static final int BF16 = KernelTypes.code(DType.BF16);
    private static final DType[] QUANTISED = {DType.Q4_0, DType.Q4_1, DType.Q8_0, DType.Q4_K, DType.Q6_K};
    /** Outputs times rows of a tile of the library's. */
    private static final long TILE = 128L * 256;
    /** The library's kernels step from one matrix to the next by less than 2^40 bytes, and only upwards. */
    private static final long FAR = 1L << 39;
    private static volatile boolean told;

    /** The library's kernels and what serves them. */
    private static final class Kernels {
        final CudaBlasLt library;
        final CudaFunction round;
        final CudaFunction norm;
        final CudaFunction gated;
        final CudaFunction[] dequantise = new CudaFunction[KernelTypes.code(DType.Q6_K) + 1];
        final CudaFunction low;
        final CudaFunction addendF32;
        final CudaFunction addendBf16;

        Kernels(CudaDevice device) {
            library = CudaBlasLt.open(device);
            CudaModule convert = device.module("convert");
            round = convert.function("convert_f32");
            norm = convert.function("convert_norm");
            gated = convert.function("convert_gated");
            for (DType type : QUANTISED) {
                dequantise[KernelTypes.code(type)] = convert.function("convert_" + type.name().toLowerCase(Locale.ROOT));
            }
            CudaModule addend = device.module("addend");
            low = addend.function("addend_low");
            addendF32 = addend.function("addend_f32");
            addendBf16 = addend.function("addend_bf16");
        }
    }

    /** Scratch of one operation: addresses in one piece. */
    private record Room(long workspace, long input, long low, long weights) {
        Room reading(long bf16) {
            return new Room(workspace, bf16, low, weights);
        }
    }

    private final CudaDevice device;
    private final CudaLora lora;
    private final boolean own;
    private final boolean quantised;
    private Kernels kernels;
    private String missing; // why there is no library

    /** @throws BackendUnavailableException if the property has no such value, or asks for what is not there */
    CudaDense(CudaDevice device, CudaLora lora) {
        this.device = device;
        this.lora = lora;
        String property = System.getProperty("t2l.cuda.gemm", "auto");
        if (!List.of("auto", "own", "cublaslt").contains(property)) {
            throw new BackendUnavailableException("-Dt2l.cuda.gemm=" + property + ": wanted auto, own or cublaslt");
        }
        own = property.equals("own");
        quantised = property.equals("cublaslt");
        if (quantised && kernels() == null) {
            throw new BackendUnavailableException("-Dt2l.cuda.gemm=cublaslt: " + missing);
        }
    }

    /** Which library makes the products of many rows, or why none does. */
    String describe() {
        return own ? "own tiles (-Dt2l.cuda.gemm=own)" : kernels() == null ? "own tiles (" + missing + ")" : kernels.library.toString();
    }

    /** Looked for when first wanted; null if not to be had. */
    private synchronized Kernels kernels() {
        if (kernels == null && missing == null && !own) {
            try {
                kernels = new Kernels(device);
            } catch (BackendUnavailableException e) {
                missing = e.getMessage();
                if (!told) {
                    told = true;
                    LOG.log(System.Logger.Level.INFO, "prefill by own tiles, at a fraction of the speed: " + missing);
                }
            }
        }
        return kernels;
    }

    /** By weights, types and where operands lie alone, never by the number of rows. */
    private boolean takes(Product p) {
        int type = KernelTypes.code(p.w().dtype());
        return (type == BF16 || quantised && type > BF16) && p.w().cols() % EACH == 0 && p.w().rows() % EACH == 0 && aligned(p.y())
                && (type > BF16 || aligned(p.w())) && aligned(p.lora()) && kernels() != null;
    }

    /** @param x read as it lies if it is BF16 */
    private boolean takes(Tensor x, List<Product> products) {
        if (x.dtype() == DType.BF16 && !aligned(x)) {
            return false;
        }
        for (int i = 0; i < products.size(); i++) {
            if (!takes(products.get(i))) {
                return false;
            }
        }
        return true;
    }

    private static boolean aligned(Tensor t) {
        return t.address() % CudaBlasLt.ALIGNMENT == 0;
    }

    private static boolean aligned(LoraRows rows) {
        if (rows != null) {
            for (int i = 0; i < rows.factors().size(); i++) {
                Tensor a = rows.factors().get(i).a();
                if (a != null && !aligned(a)) {
                    return false;
                }
            }
        }
        return true;
    }

    /** {@link Backend#products}, {@link Mixed#products}. */
    boolean products(Tensor x, List<Product> products) {
        if (!takes(x, products)) {
            return false;
        }
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            productsOf(reading(scratch, x, products), x.rows(), products);
        }
        return true;
    }

    /** {@link Backend#normedProducts}. */
    boolean normedProducts(Tensor x, Norm norm, List<Product> products) {
        if (!takes(x, products)) {
            return false;
        }
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            Room room = room(scratch, x.elements(), products);
            norm(room, x, norm);
            productsOf(room, x.rows(), products);
        }
        return true;
    }

    /** {@link Backend#addProduct}, {@link Mixed#addProduct}. */
    boolean addProduct(Tensor x, Tensor in, Product product) {
        Product onto = new Product(x, product.w(), product.bias(), product.lora());
        if (!takes(in, List.of(onto))) {
            return false;
        }
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            product(reading(scratch, in, List.of(onto)), onto, x.dtype(), in.rows(), true);
        }
        return true;
    }

    /**
     * {@link Backend#gatedMlp}. Both halves' results lie as bf16 where gate.y and up.y are, and their product where gate's was.
     */
    boolean gatedMlp(Tensor x, Norm norm, Product gate, Product up, Product down, Activation f) {
        Product onto = new Product(x, down.w(), down.bias(), down.lora());
        List<Product> all = List.of(gate, up, onto);
        if (!takes(x, all)) {
            return false;
        }
        long n = x.rows();
        long wide = gate.y().elements();
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            Room room = room(scratch, x.elements(), all);
            norm(room, x, norm);
            product(room, gate, DType.BF16, n, false);
            product(room, up, DType.BF16, n, false);
            long gated = gate.y().address();
            kernels.gated.args().i64(gated).i64(gated).pointer(up.y()).i64(wide).i32(f.ordinal()).run(blocks(wide / EACH), 1, 1, THREADS, 0);
            product(room.reading(gated), onto, DType.F32, n, true);
        }
        return true;
    }

    /** For an input of so many elements, and the largest of what each product needs. */
    private Room room(CudaScratch scratch, long elements, List<Product> products) {
        long low = 0;
        long weights = 0;
        for (int i = 0; i < products.size(); i++) {
            Product p = products.get(i);
            low = Math.max(low, p.lora() == null ? 0 : CudaLora.lowBytes(p.lora(), CudaLora.stride(p.lora())));
            weights = Math.max(weights, p.w().dtype() == DType.BF16 ? 0 : 2 * p.w().elements());
        }
        long input = round256(2 * elements);
        low = round256(low);
        long at = scratch.address(CudaBlasLt.WORKSPACE + input + low + weights);
        return new Room(at, at + CudaBlasLt.WORKSPACE, at + CudaBlasLt.WORKSPACE + input, at + CudaBlasLt.WORKSPACE + input + low);
    }

    private static long round256(long bytes) {
        return (bytes + 255) / 256 * 256;
    }

    /** Room, and x in bf16: as it lies, or rounded. */
    private Room reading(CudaScratch scratch, Tensor x, List<Product> products) {
        if (x.dtype() == DType.BF16) {
            return room(scratch, 0, products).reading(x.address());
        }
        Room room = room(scratch, x.elements(), products);
        kernels.round.args().i64(room.input()).pointer(x).i64(x.elements()).run(blocks(x.elements() / EACH), 1, 1, THREADS, 0);
        return room;
    }

    private void norm(Room room, Tensor x, Norm norm) {
        int type = KernelTypes.code(norm.weight().dtype());
        if (type < 0) {
            throw new IllegalArgumentException("norm: no CUDA kernel reads " + norm.weight() + "; HINT: place() turns such weights into f32");
        }
        kernels.norm.args().i64(room.input()).pointer(x).i64(x.cols()).pointer(norm.weight()).i32(type).f32(norm.eps()).f32(norm.weightOffset())
                .run(Math.toIntExact(x.rows()), 1, 1, THREADS, 0);
    }

    /** Two small neighbours of one size go together, since one alone leaves part of the device idle. */
    private void productsOf(Room room, long n, List<Product> products) {
        for (int i = 0; i < products.size(); i++) {
            Product p = products.get(i);
            if (i + 1 < products.size() && pair(p, products.get(i + 1))) {
                Product q = products.get(++i);
                boolean onto = adds(p) || adds(q);
                if (onto) {
                    addend(room, p, p.y().dtype(), false);
                    addend(room, q, q.y().dtype(), false);
                }
                boolean swapped = q.w().address() < p.w().address();
                Product first = swapped ? q : p;
                Product second = swapped ? p : q;
                DType type = p.y().dtype();
                var size = new CudaBlasLt.Size(p.w().cols(), p.w().rows(), type, 2, false);
                var at = new CudaBlasLt.Operands(first.y().address(), room.input(), first.w().address(),
                        (second.y().address() - first.y().address()) / type.bytes(1), (second.w().address() - first.w().address()) / 2);
                kernels.library.product(size, at, n, onto, room.workspace());
            } else {
                product(room, p, p.y().dtype(), n, false);
            }
        }
    }

    /** By weights and where operands lie: what adapters a batch has does not count. */
    private boolean pair(Product p, Product q) {
        long weights = q.w().address() - p.w().address();
        long results = q.y().address() - p.y().address();
        boolean sameOrder = weights != 0 && weights > 0 == results > 0;
        return p.w().dtype() == DType.BF16 && q.w().dtype() == DType.BF16 && p.w().rows() == q.w().rows() && p.y().dtype() == q.y().dtype()
                && p.w().rows() * CudaBlasLt.ROWS < TILE * device.multiprocessors() && sameOrder && Math.max(Math.abs(weights), Math.abs(results)) < FAR;
    }

    /** @param type of what is to lie at y: F32 or BF16 */
    private void product(Room room, Product p, DType type, long n, boolean onto) {
        if (adds(p)) {
            addend(room, p, type, onto);
        }
        long w = weights(room, p.w());
        kernels.library.product(new CudaBlasLt.Size(p.w().cols(), p.w().rows(), type, 1, false), new CudaBlasLt.Operands(p.y().address(), room.input(), w, 0, 0), n,
                onto || adds(p), room.workspace());
    }

    /** The address of a weight in bf16. */
    private long weights(Room room, Tensor w) {
        if (w.dtype() == DType.BF16) {
            return w.address();
        }
        kernels.dequantise[KernelTypes.code(w.dtype())].args().i64(room.weights()).pointer(w).i64(w.elements()).run(blocks(w.elements() / EACH), 1, 1, THREADS, 0);
        return room.weights();
    }

    /** {@link Gradients#linearBackward}, {@link Mixed#linearBackward}. */
    boolean backward(Tensor dx, Tensor dy, Tensor w, boolean add) {
        List<Product> product = List.of(new Product(dx, w, null, null));
        if (!takes(dy, product)) {
            return false;
        }
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            Room room = reading(scratch, dy, product);
            kernels.library.product(new CudaBlasLt.Size(w.cols(), w.rows(), dx.dtype(), 1, true),
                    new CudaBlasLt.Operands(dx.address(), room.input(), weights(room, w), 0, 0), dy.rows(), add, room.workspace());
        }
        return true;
    }

    /** Whether something is added besides what y holds. */
    private static boolean adds(Product p) {
        return p.bias() != null || p.lora() != null && CudaLora.stride(p.lora()) > 0;
    }

    /** {@code y = bias + adapters}, plus y if {@code onto}. */
    private void addend(Room room, Product p, DType type, boolean onto) {
        LoraRows rows = p.lora();
        long stride = rows == null ? 0 : CudaLora.stride(rows);
        long n = p.y().rows();
        if (stride > 0) {
            CudaLaunch launch = kernels.low.args().i64(room.input()).i64(n).i64(p.w().cols()).i64(device.fault());
            lora.pass(launch, rows, room.low(), stride).run(Math.toIntExact(CudaLinear.ceil(n, ADDEND_ROWS)),
                    Math.toIntExact(CudaLinear.ceil(stride, ADDEND_RANKS)), Math.toIntExact(rows.slots().cols()), THREADS, 0);
        }
        CudaLaunch launch = (type == DType.F32 ? kernels.addendF32 : kernels.addendBf16).args().pointer(p.y()).i64(n).i64(p.y().cols()).i32(onto ? 1 : 0)
                .pointer(p.bias()).i32(CudaLinear.biasType(p.bias())).i64(device.fault());
        lora.pass(launch, rows, room.low(), stride).run(Math.toIntExact(CudaLinear.ceil(p.y().cols(), ADDEND_OUTPUTS)),
                Math.toIntExact(CudaLinear.ceil(n, ADDEND_ROWS)), 1, THREADS, 0);
    }

    private static int blocks(long threads) {
        return (int) Math.min(MOST_BLOCKS, CudaLinear.ceil(threads, THREADS));
    }
}
