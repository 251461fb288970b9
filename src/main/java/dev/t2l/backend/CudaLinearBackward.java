package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.Locale;

/** Launches of {@code cuda/linearbackward.cu} and {@code cuda/lineargradient.cu}. Which tile is picked never shows in the bits. */
final class CudaLinearBackward {
    private static final DType[] TYPES = {DType.F32, DType.F16, DType.BF16, DType.Q4_0, DType.Q4_1, DType.Q8_0, DType.Q4_K, DType.Q6_K};
    private static final int THREADS = 256;
    private static final int ANY_COLUMNS = 256;
    private static final int ANY_ROWS = 4;
    private static final int DEPTH = 32;
    private static final long MOST_BLOCKS = 4096;
    /** A weight with so few columns and so many rows leaves most of the device idle, unless its rows are cut into parts. */
    private static final long FEW_COLUMNS = 2048;
    private static final long PART = 4096;
    private static final long MOST_PARTS = 16;
    /** Bytes of parts at a time. */
    private static final long ROOM = 64 << 20;

    /** A kernel that makes tiles of rows times columns of its result. */
    private record Tile(CudaFunction kernel, int rows, int columns, int threads, int sharedBytes) {
        long blocks(long n, long width) {
            return CudaLinear.ceil(n, rows) * CudaLinear.ceil(width, columns);
        }

        void run(CudaLaunch launch, long n, long width, long parts) {
            launch.run(Math.toIntExact(CudaLinear.ceil(width, columns)), Math.toIntExact(CudaLinear.ceil(n, rows)), (int) parts, threads, sharedBytes);
        }
    }

    private final CudaDevice device;
    private final Tile[][] tiles = new Tile[TYPES.length][]; // largest first
    private final Tile[] any = new Tile[TYPES.length];       // of 16-bit weights
    private final Tile[] gradient;
    private final CudaFunction bias;
    private final CudaFunction sum;

    CudaLinearBackward(CudaDevice device) {
        this.device = device;
        CudaModule backward = device.module("linearbackward");
        CudaModule weights = device.module("lineargradient");
        tiles[0] = squares(backward, "linear_backward_f32_");
        for (int type = 1; type < TYPES.length; type++) {
            String name = "linear_backward_" + TYPES[type].name().toLowerCase(Locale.ROOT);
            tiles[type] = new Tile[] {tensor(backward, name, type, 128, 128, 256), tensor(backward, name, type, 64, 32, 128)};
        }
        for (DType type : new DType[] {DType.F16, DType.BF16}) {
            CudaFunction kernel = backward.function("linear_backward_any_" + type.name().toLowerCase(Locale.ROOT));
            any[KernelTypes.code(type)] = new Tile(kernel, ANY_ROWS, ANY_COLUMNS, THREADS, 0);
        }
        gradient = squares(weights, "linear_gradient_");
        bias = weights.function("linear_gradient_bias");
        sum = backward.function("linear_backward_parts");
    }

    private static Tile[] squares(CudaModule module, String name) {
        return new Tile[] {new Tile(module.function(name + 128), 128, 128, 256, 0), new Tile(module.function(name + 64), 64, 64, 256, 0),
            new Tile(module.function(name + 32), 32, 32, 128, 0)};
    }

    private static Tile tensor(CudaModule module, String name, int type, int rows, int columns, int threads) {
        int parts = TYPES[type] == DType.BF16 ? 1 : 2;
        int shared = 2 * (2 * rows * 80 + parts * DEPTH * (2 * columns + 16));
        return new Tile(module.function(name + "_" + rows).maxShared(shared), rows, columns, threads, shared);
    }

    /** The largest tile that keeps the device busy, else the smallest. */
    private Tile pick(Tile[] sizes, long n, long width, long parts) {
        for (Tile tile : sizes) {
            if (tile.sharedBytes() <= device.sharedPerBlock() && 4 * parts * tile.blocks(n, width) >= 3L * device.multiprocessors()) {
                return tile;
            }
        }
        return sizes[sizes.length - 1];
    }

    /** {@code dx = dy w}, or added to dx. */
    void backward(Tensor dx, Tensor dy, Tensor w, boolean add) {
        int type = CudaLinear.type(w);
        long parts = Math.min(MOST_PARTS, w.cols() <= FEW_COLUMNS ? CudaLinear.ceil(w.rows(), PART) : 1);
        if (parts <= 1) {
            launch(type, w, dy.address(), dx.address(), dy.rows(), w.rows(), 1, add);
            return;
        }
        long part = CudaLinear.ceil(CudaLinear.ceil(w.rows(), parts), DEPTH) * DEPTH;
        parts = CudaLinear.ceil(w.rows(), part);
        long rows = Math.max(1, ROOM / (4 * parts * w.cols()));
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            long room = scratch.address(4 * parts * w.cols() * Math.min(rows, dy.rows()));
            for (long first = 0; first < dy.rows(); first += rows) {
                long n = Math.min(rows, dy.rows() - first);
                long size = n * w.cols();
                launch(type, w, dy.address() + 4 * first * dy.cols(), room, n, part, parts, false);
                sum.args().i64(dx.address() + 4 * first * w.cols()).i64(room).i64(size).i64(parts).i32(add ? 1 : 0)
                        .run((int) Math.min(MOST_BLOCKS, CudaLinear.ceil(size, THREADS)), 1, 1, THREADS, 0);
            }
        }
    }

    /** @param part rows of w of each part */
    private void launch(int type, Tensor w, long dy, long to, long n, long part, long parts, boolean add) {
        Tile tile = any[type] != null && !CudaLinear.aligned(w) ? any[type] : pick(tiles[type], n, w.cols(), parts);
        CudaLaunch launch = tile.kernel().args().i64(dy).pointer(w).i64(w.dtype().bytes(w.cols()))
                .i64(to).i64(n).i64(w.cols()).i64(w.rows()).i64(CudaLinear.ceil(part, DEPTH) * DEPTH).i64(add ? 1 : 0);
        tile.run(launch, n, w.cols(), parts);
    }

    /** {@code dw += dy^T x}, {@code dbias += sum of dy's rows}; dbias may be null. */
    void gradient(Tensor dw, Tensor dbias, Tensor dy, Tensor x) {
        Tile tile = pick(gradient, dw.rows(), dw.cols(), 1);
        CudaLaunch launch = tile.kernel().args().pointer(dw).pointer(dy).pointer(x).i64(x.rows()).i64(dw.rows()).i64(dw.cols());
        tile.run(launch, dw.rows(), dw.cols(), 1);
        if (dbias != null) {
            bias.args().pointer(dbias).pointer(dy).i64(dy.rows()).i64(dy.cols()).run(Math.toIntExact(CudaLinear.ceil(dy.cols(), 32)), 1, 1, THREADS, 0);
        }
    }
}
