package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/**
 * Launches of {@code cuda/linear.cu}, for few rows and weights that {@link CudaThin} does not take, and {@code cuda/lineartiles.cu}, for many.
 * Which of the two is the caller's choice; within each, whatever kernel and shape is picked here, a row has the same bits.
 */
final class CudaLinear {
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
    private final CudaFunction[] plain = new CudaFunction[4];           // 1, 2, 4, 8 rows
    private final CudaFunction[] any = new CudaFunction[FIRST_QUANTISED];
    private final Tile[][] tiles = new Tile[KernelTypes.COUNT][];       // largest first

    CudaLinear(CudaDevice device, CudaLora lora) {
        this.device = device;
        this.lora = lora;
        CudaModule few = device.module("linear");
        CudaModule many = device.module("lineartiles");
        for (int i = 0; i < plain.length; i++) {
            plain[i] = few.function("linear_f32_" + (1 << i));
        }
        for (int type = 0; type < any.length; type++) {
            any[type] = few.function("linear_any_" + KernelTypes.name(type));
        }
        tiles[F32] = new Tile[] {single(many, 128, 256), single(many, 64, 256), single(many, 32, 128)};
        for (int type = 1; type < KernelTypes.COUNT; type++) {
            tiles[type] = new Tile[] {tensor(many, type, 128, 128, 256, 128), tensor(many, type, 64, 32, 128, 64)};
        }
    }

    private static Tile single(CudaModule module, int side, int threads) {
        return new Tile(module.function("linear_tiles_f32_" + side), side, side, threads, 0);
    }

    private static Tile tensor(CudaModule module, int type, int rows, int outputs, int threads, int name) {
        int shared = tensorBytes(type, rows, outputs);
        return new Tile(module.function("linear_tiles_" + KernelTypes.name(type) + "_" + name).maxShared(shared), rows, outputs, threads, shared);
    }

    /** Shared memory of a tile of {@code cuda/tiles.cuh}. */
    static int tensorBytes(int type, int rows, int outputs) {
        int parts = type == KernelTypes.code(DType.BF16) ? 1 : 2;
        return 2 * 80 * (2 * rows + parts * outputs);
    }

    /**
     * {@code y = x w^T + bias}, for few rows of x and a weight of 32 bits or of 16 that is not {@link #aligned}, with {@code rows}' adapters added if
     * that is not null.
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
        } else {
            plain(any[type], ANY_ROWS, y, x, w, bias, rows, low, stride);
        }
    }

    private void plain(CudaFunction kernel, int group, Tensor y, Tensor x, Tensor w, Tensor bias, LoraRows rows, long low, long stride) {
        long blocks = ceil(x.rows(), group) * ceil(w.rows(), PLAIN_OUTPUTS);
        CudaLaunch launch = kernel.args().pointer(y).pointer(x).i64(x.rows()).i64(w.cols()).pointer(w).i64(w.rows()).pointer(bias).i32(biasType(bias));
        lora.pass(launch, rows, low, stride).run(Math.toIntExact(blocks), 1, 1, THREADS, 0);
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

    static long rowBytes(Tensor w) {
        return w.dtype().bytes(w.cols());
    }

    /** Rows of a multiple of 16 bytes, from such an address on. */
    static boolean aligned(Tensor w) {
        return (w.address() | rowBytes(w)) % 16 == 0;
    }

    /** @throws IllegalArgumentException if no kernel reads weights of such a type, or at such an address */
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
