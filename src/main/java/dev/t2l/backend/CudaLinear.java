package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/**
 * Launches of {@code cuda/linear.cu}, for few rows, and {@code cuda/lineartiles.cu}, for many. Which of the two is the caller's choice;
 * within each, whatever kernel and shape is picked here, a row has the same bits.
 */
final class CudaLinear {
    private static final String[] NAMES = {"f32", "f16", "bf16", "q4_0", "q4_1", "q8_0", "q4_k", "q6_k"};
    private static final int F32 = 0;
    private static final int FIRST_QUANTISED = 3;
    private static final int THREADS = 256;
    private static final int PLAIN_OUTPUTS = 4;
    private static final int ANY_ROWS = 4;

    /** A kernel of lineartiles.cu: tiles of rows of x times outputs. */
    private record Tile(CudaFunction kernel, int rows, int outputs, int threads, int sharedBytes) {
        long blocks(long n, long out) {
            return ceil(n, rows) * ceil(out, outputs);
        }
    }

    private final CudaDevice device;
    private final CudaLora lora;
    private final ThinProduct[][] thin = new ThinProduct[NAMES.length][]; // most tiles first
    private final CudaFunction[] plain = new CudaFunction[4];             // 1, 2, 4, 8 rows
    private final CudaFunction[] any = new CudaFunction[FIRST_QUANTISED];
    private final Tile[][] tiles = new Tile[NAMES.length][];              // largest first

    CudaLinear(CudaDevice device, CudaLora lora) {
        this.device = device;
        this.lora = lora;
        CudaModule few = device.module("linear");
        CudaModule many = device.module("lineartiles");
        for (int i = 0; i < plain.length; i++) {
            plain[i] = few.function("linear_f32_" + (1 << i));
        }
        for (int type = 0; type < any.length; type++) {
            any[type] = few.function("linear_any_" + NAMES[type]);
        }
        tiles[F32] = new Tile[] {single(many, 128, 256), single(many, 64, 256), single(many, 32, 128)};
        for (int type = 1; type < NAMES.length; type++) {
            boolean four = NAMES[type].startsWith("q4");
            thin[type] = four ? new ThinProduct[] {thin(few, type, 4), thin(few, type, 2), thin(few, type, 1)}
                    : new ThinProduct[] {thin(few, type, 2), thin(few, type, 1)};
            tiles[type] = new Tile[] {tensor(many, type, 128, 128, 256, 128), tensor(many, type, 64, 32, 128, 64)};
        }
    }

    private ThinProduct thin(CudaModule module, int type, int count) {
        CudaFunction kernel = module.function("linear_" + NAMES[type] + "_" + count).maxShared(device.sharedPerBlock());
        return new ThinProduct(kernel, ThinProduct.Format.of(type), count);
    }

    private static Tile single(CudaModule module, int side, int threads) {
        return new Tile(module.function("linear_tiles_f32_" + side), side, side, threads, 0);
    }

    private static Tile tensor(CudaModule module, int type, int rows, int outputs, int threads, int name) {
        int shared = tensorBytes(type, rows, outputs);
        return new Tile(module.function("linear_tiles_" + NAMES[type] + "_" + name).maxShared(shared), rows, outputs, threads, shared);
    }

    /** Shared memory of a tile of {@code cuda/tiles.cuh}. */
    static int tensorBytes(int type, int rows, int outputs) {
        int parts = type == KernelTypes.code(DType.BF16) ? 1 : 2;
        return 2 * 80 * (2 * rows + parts * outputs);
    }

    /**
     * {@code y = x w^T + bias}, for few rows of x, with {@code rows}' adapters added if that is not null.
     *
     * @param low    address of {@code A x} for them, as {@link CudaLora#low} makes it
     * @param stride of low
     */
    void few(Tensor y, Tensor x, Tensor w, Tensor bias, LoraRows rows, long low, long stride) {
        int type = type(w);
        long n = x.rows();
        if (n == 0) {
            return;
        }
        if (type == F32 && aligned(w)) {
            int index = n == 1 ? 0 : n == 2 ? 1 : n <= 4 ? 2 : 3;
            plain(plain[index], 1 << index, y, x, w, bias, rows, low, stride);
        } else if (type < FIRST_QUANTISED && !aligned(w)) {
            plain(any[type], ANY_ROWS, y, x, w, bias, rows, low, stride);
        } else {
            thin(type, y, x, w, bias, rows, low, stride);
        }
    }

    private void plain(CudaFunction kernel, int group, Tensor y, Tensor x, Tensor w, Tensor bias, LoraRows rows, long low, long stride) {
        long blocks = ceil(x.rows(), group) * ceil(w.rows(), PLAIN_OUTPUTS);
        CudaLaunch launch = kernel.args().pointer(y).pointer(x).i64(x.rows()).i64(w.cols()).pointer(w).i64(w.rows()).pointer(bias).i32(biasType(bias));
        lora.pass(launch, rows, low, stride).run(Math.toIntExact(blocks), 1, 1, THREADS, 0);
    }

    private void thin(int type, Tensor y, Tensor x, Tensor w, Tensor bias, LoraRows rows, long low, long stride) {
        long n = x.rows();
        int wanted = (int) Math.min(n, ThinProduct.ROWS);
        ThinProduct product = null;
        int group = 0;
        for (ThinProduct candidate : thin[type]) {
            group = candidate.rows(wanted, w.cols(), device.sharedPerBlock());
            if (group > 0 && (candidate.tiles == 1 || fills(candidate, w.rows(), n, group))) {
                product = candidate;
                break;
            }
        }
        if (product == null) {
            throw new CudaException("linear: " + device + " has too little shared memory for " + w);
        }
        int panel = product.panel(group, w.cols());
        long blocks = ceil(n, group) * ceil(w.rows(), product.outputs());
        CudaLaunch launch = product.kernel.args().pointer(y).pointer(x).i64(n).i64(w.cols()).pointer(w).i64(rowBytes(w)).i64(w.rows())
                .pointer(bias).i32(biasType(bias)).i32(group).i32(panel);
        lora.pass(launch, rows, low, stride).run(Math.toIntExact(blocks), 1, 1, THREADS, product.sharedBytes(group, panel));
    }

    /** Whether blocks of so many outputs keep the device busy; the largest, only for more than four rows of x. */
    private boolean fills(ThinProduct product, long out, long n, int group) {
        long blocks = ceil(n, group) * ceil(out, product.outputs());
        return product.tiles == 2 ? 2 * blocks >= 3L * device.multiprocessors() : n > 4 && blocks >= 2L * device.multiprocessors();
    }

    /** {@code y = x w^T + bias}, for many rows of x. */
    void many(Tensor y, Tensor x, Tensor w, Tensor bias) {
        int type = type(w);
        long n = x.rows();
        if (type > F32 && type < FIRST_QUANTISED && !aligned(w)) {
            few(y, x, w, bias, null, 0, 0);
            return;
        }
        if (n == 0) {
            return;
        }
        Tile tile = null;
        for (Tile candidate : tiles[type]) {
            tile = candidate;
            if (candidate.sharedBytes() <= device.sharedPerBlock() && 4 * candidate.blocks(n, w.rows()) >= 3L * device.multiprocessors()) {
                break;
            }
        }
        CudaLaunch launch = tile.kernel().args().pointer(y).pointer(x).i64(n).i64(w.cols()).pointer(w);
        if (type != F32) {
            launch.i64(rowBytes(w));
        }
        launch.i64(w.rows()).pointer(bias).i32(biasType(bias))
                .run(Math.toIntExact(ceil(w.rows(), tile.outputs())), Math.toIntExact(ceil(n, tile.rows())), 1, tile.threads(), tile.sharedBytes());
    }

    private static long rowBytes(Tensor w) {
        return w.dtype().bytes(w.cols());
    }

    /** Rows of a multiple of 16 bytes, from such an address on. */
    static boolean aligned(Tensor w) {
        return (w.address() | rowBytes(w)) % 16 == 0;
    }

    /** The code of a weight's type; its blocks must lie where kernels can read them. */
    static int type(Tensor w) {
        int code = KernelTypes.code(w.dtype());
        if (code < 0) {
            throw new IllegalArgumentException("linear: no CUDA kernel reads " + w + "; HINT: place() turns such weights into f32");
        }
        if (w.address() % (w.dtype().blockBytes() % 4 == 0 ? 4 : 2) != 0) {
            throw new IllegalArgumentException("linear: " + w + " lies at address " + w.address() + ", which is no multiple of what its blocks are read by");
        }
        return code;
    }

    /** A bias is read element by element. */
    static int biasType(Tensor bias) {
        int code = bias == null ? F32 : KernelTypes.code(bias.dtype());
        if (code < 0 || code >= FIRST_QUANTISED) {
            throw new IllegalArgumentException("linear: a bias must be F32, F16 or BF16, is " + bias);
        }
        return code;
    }

    static long ceil(long a, long b) {
        return (a + b - 1) / b;
    }
}
