package dev.t2l.backend;

import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * Launches of {@code cuda/thin.cu}, the products of {@link CudaBackend#decoding()} with what comes before and after them: several weights
 * of one type in one launch, adapters, a norm, a gate, an activation, a residual. 16-bit and quantised weights; every operation here says
 * whether it was taken, by weights and shapes alone, and else does nothing.
 */
final class CudaThin {
    /** Sizes of {@code struct thin_launch}. */
    private static final int MOST_PRODUCTS = 4;
    private static final int PRODUCT_FIELDS = 14;
    private static final int LOW_THREADS = 256;
    private static final int FIRST_TYPE = 1;
    private static final int FIRST_QUANTISED = 3;
    private static final int NO_ACTIVATION = -1;

    /**
     * One launch: of products of one type, at one distance from a multiple of 16.
     *
     * @param norm       of x, or null
     * @param paired     makes {@code f(product 0) * product 1}
     * @param activation of the pair, of gate, or of the product; or {@link #NO_ACTIVATION}
     * @param gate       makes {@code f(gate) * product}; or null
     * @param residual   added last, or null
     */
    private record Task(Tensor x, Norm norm, List<Product> products, boolean paired, int activation, Tensor gate, Tensor residual) {
        static Task of(Tensor x, Norm norm, List<Product> products) {
            return new Task(x, norm, products, false, NO_ACTIVATION, null, null);
        }
    }

    private final CudaDevice device;
    private final CudaLora lora;
    private final ThinKernel[][] kernels = new ThinKernel[KernelTypes.COUNT][];
    private final Map<ThinKernel, CudaFunction> functions = new IdentityHashMap<>();
    private final CudaFunction low;

    CudaThin(CudaDevice device, CudaLora lora) {
        this.device = device;
        this.lora = lora;
        CudaModule module = device.module("thin");
        for (int type = FIRST_TYPE; type < KernelTypes.COUNT; type++) {
            kernels[type] = ThinKernel.of(type);
            for (ThinKernel kernel : kernels[type]) {
                functions.put(kernel, module.function(kernel.name()).maxShared(device.sharedPerBlock()));
            }
        }
        low = device.module("lora").function("lora_low_thin");
    }

    private static boolean takes(Product p) {
        int type = CudaLinear.type(p.w());
        return type >= FIRST_QUANTISED || type >= FIRST_TYPE && CudaLinear.aligned(p.w());
    }

    private static boolean takes(List<Product> products) {
        for (int i = 0; i < products.size(); i++) {
            if (!takes(products.get(i))) {
                return false;
            }
        }
        return true;
    }

    /** Whether a norm's weights are such as kernels read four at a time. */
    private static boolean takes(Norm norm) {
        int type = KernelTypes.code(norm.weight().dtype());
        return type >= 0 && type < FIRST_QUANTISED && norm.weight().address() % 16 == 0;
    }

    /** Whether two products can be made in one launch. */
    private static boolean alike(Product p, Product q) {
        return p.w().dtype() == q.w().dtype() && p.w().address() % 16 == q.w().address() % 16;
    }

    /** {@link Backend#loraLinear}. */
    boolean product(Tensor x, Product product) {
        if (!takes(product)) {
            return false;
        }
        run(Task.of(x, null, List.of(product)));
        return true;
    }

    /** {@link Backend#products}. */
    boolean products(Tensor x, List<Product> products) {
        if (!takes(products)) {
            return false;
        }
        runAll(x, null, products);
        return true;
    }

    /** {@link Backend#normedProducts}. */
    boolean normedProducts(Tensor x, Norm norm, List<Product> products) {
        if (!takes(norm) || !takes(products)) {
            return false;
        }
        runAll(x, norm, products);
        return true;
    }

    /** {@link Backend#gatedProduct}; a pair that is not alike, one after the other. */
    boolean gatedProduct(Tensor x, Norm norm, Product gate, Product up, Activation f) {
        if (norm != null && !takes(norm) || !takes(gate) || !takes(up)) {
            return false;
        }
        if (alike(gate, up)) {
            run(new Task(x, norm, List.of(gate, up), true, f.ordinal(), null, null));
        } else {
            run(Task.of(x, norm, List.of(gate)));
            run(new Task(x, norm, List.of(new Product(gate.y(), up.w(), up.bias(), up.lora())), false, f.ordinal(), gate.y(), null));
        }
        return true;
    }

    /** {@link Backend#addProduct}. */
    boolean addProduct(Tensor x, Tensor in, Product product) {
        if (!takes(product)) {
            return false;
        }
        run(new Task(in, null, List.of(new Product(x, product.w(), product.bias(), product.lora())), false, NO_ACTIVATION, null, x));
        return true;
    }

    /** {@link Backend#activatedLinear}. */
    boolean activatedLinear(Tensor x, Product product, Activation f, Tensor residual) {
        if (!takes(product)) {
            return false;
        }
        run(new Task(x, null, List.of(product), false, f.ordinal(), null, residual));
        return true;
    }

    /** One launch for all that are alike. */
    private void runAll(Tensor x, Norm norm, List<Product> products) {
        boolean[] done = new boolean[products.size()];
        for (int i = 0; i < done.length; i++) {
            var together = new ArrayList<Product>(MOST_PRODUCTS);
            for (int j = i; j < done.length && together.size() < MOST_PRODUCTS; j++) {
                if (!done[j] && (together.isEmpty() ? j == i : alike(together.getFirst(), products.get(j)))) {
                    together.add(products.get(j));
                    done[j] = true;
                }
            }
            if (!together.isEmpty()) {
                run(Task.of(x, norm, together));
            }
        }
    }

    private void run(Task task) {
        Tensor x = task.x();
        if (x.rows() == 0) {
            return;
        }
        long lowBytes = 0;
        for (int i = 0; i < task.products().size(); i++) {
            lowBytes += lowBytes(task.products().get(i).lora());
        }
        boolean copied = x.address() % 16 != 0;
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            long at = lowBytes > 0 || copied ? scratch.address(lowBytes + (copied ? x.bytes() : 0)) : 0;
            long from = x.address();
            if (copied) {
                from = at + lowBytes;
                device.transfer().copy(from, x.address(), x.bytes());
            }
            if (lowBytes > 0) {
                low(task, from, at);
            }
            launch(task, from, at, lowBytes > 0);
        }
    }

    private static long stride(LoraRows rows) {
        return rows == null ? 0 : CudaLora.stride(rows);
    }

    /** A multiple of 16. */
    private static long lowBytes(LoraRows rows) {
        return rows == null ? 0 : CudaLora.lowBytes(rows, CudaLora.stride(rows));
    }

    /** {@code A x}, or {@code A norm(x)}, for every row and adapter of all products, one product's from {@code lows} on, then the next's. */
    private void low(Task task, long x, long lows) {
        CudaLaunch launch = low.args().i64(x).i64(task.x().cols());
        norm(launch, task.norm()).i64(device.fault()).i64(task.products().size());
        long ranks = 0;
        long entries = 0;
        for (int i = 0; i < MOST_PRODUCTS; i++) {
            LoraRows rows = i < task.products().size() ? task.products().get(i).lora() : null;
            long stride = stride(rows);
            lora.pass(launch, rows, lows, stride);
            lows += lowBytes(rows);
            ranks = Math.max(ranks, stride);
            entries += stride == 0 ? 0 : rows.slots().cols();
        }
        launch.run(Math.toIntExact(ranks), Math.toIntExact(task.x().rows()), Math.toIntExact(entries), LOW_THREADS, 0);
    }

    /** The fields of {@code struct thin_launch}. */
    private void launch(Task task, long x, long lows, boolean behindLow) {
        List<Product> products = task.products();
        Tensor w = products.getFirst().w();
        ThinShape shape = shape(task, w);
        ThinKernel kernel = shape.kernel();
        int each = kernel.outputs() / (task.paired() ? 2 : 1);
        CudaLaunch launch = functions.get(kernel).args().i64(x).i64(task.x().rows()).i64(w.cols()).i64(CudaLinear.rowBytes(w));
        norm(launch, task.norm()).i64(task.paired() ? 1 : 0).i64(task.activation()).pointer(task.gate()).pointer(task.residual())
                .i64(shape.group()).i64(tiles(task, each)).i64(shape.panel()).i64(shape.stages()).i64(behindLow ? 1 : 0).i64(products.size());
        for (int i = 0; i < products.size(); i++) {
            Product p = products.get(i);
            launch.pointer(p.w()).pointer(p.y()).pointer(p.bias()).i64(CudaLinear.biasType(p.bias())).i64(p.w().rows()).i64(CudaLinear.ceil(p.w().rows(), each));
            lora.pass(launch, p.lora(), lows, stride(p.lora()));
            lows += lowBytes(p.lora());
        }
        for (int i = products.size() * PRODUCT_FIELDS; i < MOST_PRODUCTS * PRODUCT_FIELDS; i++) {
            launch.i64(0);
        }
        launch.run(shape.groups(), shape.blocks(), 1, ThinKernel.threads(), shape.sharedBytes());
    }

    private ThinShape shape(Task task, Tensor w) {
        int pair = task.paired() ? 2 : 1;
        var work = new ThinShape.Work(task.x().rows(), w.cols(), CudaLinear.rowBytes(w), tiles(task, 16 / pair), tiles(task, 32 / pair));
        ThinShape shape = ThinShape.choose(kernels[CudaLinear.type(w)], work, device.multiprocessors(), device.sharedPerBlock());
        if (shape == null) {
            throw new CudaException("linear: " + device + " has too little shared memory for " + w);
        }
        return shape;
    }

    /** Tiles of {@code each} outputs of all products, or of the pair. */
    private static long tiles(Task task, int each) {
        long tiles = 0;
        for (int i = 0; i < (task.paired() ? 1 : task.products().size()); i++) {
            tiles += CudaLinear.ceil(task.products().get(i).w().rows(), each);
        }
        return tiles;
    }

    /** A norm's weights, their type, eps and offset in one field; norm may be null. */
    private static CudaLaunch norm(CudaLaunch launch, Norm norm) {
        if (norm == null) {
            return launch.i64(0).i64(0).i64(0);
        }
        long eps = Integer.toUnsignedLong(Float.floatToRawIntBits(norm.eps()));
        long offset = Integer.toUnsignedLong(Float.floatToRawIntBits(norm.weightOffset()));
        return launch.pointer(norm.weight()).i64(KernelTypes.code(norm.weight().dtype())).i64(offset << 32 | eps);
    }
}
