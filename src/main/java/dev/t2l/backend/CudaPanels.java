package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;

/**
 * Launches of {@code cuda/linearpanels.cu}: bf16 weights whose rows are a multiple of 64, on compute capability 9.0. Whether a product
 * comes here, and into how many slices its sums are cut, follows from weights alone; how many rows and outputs a block takes leaves no
 * trace in the bits.
 */
final class CudaPanels {
    /** What {@code cuda/panels.cuh} calls UNIT and DEPTH, and its other sizes. */
    static final int UNIT = 64;
    static final int BARRIERS = 1024;
    static final int MOST_STAGES = 16;
    private static final int PRODUCTS = 4;
    private static final int FIELDS = 6;
    private static final int[] ROWS = {16, 32, 48, 64, 96, 128};
    private static final int LOADERS = 2;
    /** A cluster's blocks at most. */
    private static final int MOST_SLICES = 8;
    /** Blocks that keep the device busy: of any device, so that all have the same bits. */
    private static final int ENOUGH_BLOCKS = 128;
    /** A slice has so many blocks of k at least, to be worth the exchange of sums. */
    private static final int LEAST_DEPTH = 4;
    private static final int NO_FUNCTION = -1;

    /** A kernel: so many rows of x a block, times so many units of 64 rows of w. */
    record Shape(CudaFunction kernel, int rows, int units, int loaders) {
        int threads() {
            return units * 160 + loaders * 128;
        }

        int stageBytes() {
            return units * UNIT * UNIT * 2 + 2 * rows * UNIT * 2;
        }
    }

    private final CudaDevice device;
    private final Shape[] single = new Shape[ROWS.length];
    private final Shape[] pairs = new Shape[ROWS.length];
    private final Shape[] gated = new Shape[ROWS.length];

    CudaPanels(CudaDevice device) {
        this.device = device;
        CudaModule module = device.module("linearpanels");
        for (int i = 0; i < ROWS.length; i++) {
            single[i] = shape(module, "linear_panels_" + ROWS[i] + "_1", ROWS[i], 1);
            pairs[i] = shape(module, "linear_panels_" + ROWS[i] + "_2", ROWS[i], 2);
            gated[i] = shape(module, "gated_panels_" + ROWS[i] + "_2", ROWS[i], 2);
        }
    }

    private Shape shape(CudaModule module, String name, int rows, int units) {
        return new Shape(module.function(name).maxShared(device.sharedPerBlock()), rows, units, LOADERS);
    }

    /** Whether the device has panels, and {@code -Dt2l.cuda.panels=false} does not turn them off. PTX is for all devices and has none. */
    static boolean available(CudaDevice device) {
        return device.capability() == 90 && !Boolean.getBoolean("t2l.cuda.ptx") && Boolean.parseBoolean(System.getProperty("t2l.cuda.panels", "true"));
    }

    /** Whether products by this weight are made here. */
    static boolean takes(Tensor w) {
        return w.dtype() == DType.BF16 && w.cols() > 0 && w.cols() % UNIT == 0 && CudaLinear.aligned(w);
    }

    static boolean takes(List<Product> products) {
        for (int i = 0; i < products.size(); i++) {
            if (!takes(products.get(i).w())) {
                return false;
            }
        }
        return true;
    }

    /** {@code y = x w^T + bias} for each, without adapters. */
    void products(Tensor x, List<Product> products) {
        for (int from = 0; from < products.size(); from += PRODUCTS) {
            List<Product> some = products.subList(from, Math.min(products.size(), from + PRODUCTS));
            long units = 0;
            for (int i = 0; i < some.size(); i++) {
                units += units(some.get(i));
            }
            linear(x, some, slices(units, x.cols(), LEAST_DEPTH), NO_FUNCTION, null);
        }
    }

    /** {@code gate.y = f(gate product) * up product}, without adapters; up.y is left alone. */
    void gated(Tensor x, Product gate, Product up, Activation f) {
        int tiles = Math.toIntExact(units(gate));
        run(gated[rows(x.rows())], x, List.of(gate, up), slices(tiles, x.cols(), LEAST_DEPTH), tiles, f.ordinal(), null);
    }

    /** Both products of {@link #gated} with the bits that they have there. */
    void halves(Tensor x, Product gate, Product up) {
        linear(x, List.of(gate, up), slices(units(gate), x.cols(), LEAST_DEPTH), NO_FUNCTION, null);
    }

    /** {@code y = f(x w^T + bias) + residual}, without adapters; no function for a null f, no residual for a null one, which may be y. */
    void product(Tensor x, Product p, Activation f, Tensor residual) {
        linear(x, List.of(p), slices(units(p), x.cols(), LEAST_DEPTH), f == null ? NO_FUNCTION : f.ordinal(), residual);
    }

    private void linear(Tensor x, List<Product> products, int slices, int f, Tensor residual) {
        int rows = rows(x.rows());
        int tiles = tiles(products, 2 * UNIT);
        boolean wide = (long) tiles * slices * CudaLinear.ceil(x.rows(), ROWS[rows]) >= device.multiprocessors();
        run(wide ? pairs[rows] : single[rows], x, products, slices, wide ? tiles : tiles(products, UNIT), f, residual);
    }

    private static int tiles(List<Product> products, int outputs) {
        long tiles = 0;
        for (int i = 0; i < products.size(); i++) {
            tiles += CudaLinear.ceil(products.get(i).w().rows(), outputs);
        }
        return Math.toIntExact(tiles);
    }

    private static long units(Product p) {
        return CudaLinear.ceil(p.w().rows(), UNIT);
    }

    /** As many as the tiles leave room for, a power of two, each of {@code leastDepth} blocks of k or more. */
    static int slices(long tiles, long in, int leastDepth) {
        int slices = 1;
        while (slices < MOST_SLICES && tiles * slices * 2 <= ENOUGH_BLOCKS && in / UNIT / (slices * 2) >= leastDepth) {
            slices *= 2;
        }
        return slices;
    }

    private static int rows(long n) {
        return place(ROWS, n);
    }

    /** The place in {@code rows} of the fewest that need no more tiles for n than the most do. */
    static int place(int[] rows, long n) {
        long each = CudaLinear.ceil(n, Math.max(1, CudaLinear.ceil(n, rows[rows.length - 1])));
        int i = 0;
        while (rows[i] < each) {
            i++;
        }
        return i;
    }

    private void run(Shape shape, Tensor x, List<Product> products, int slices, int tiles, int f, Tensor residual) {
        long n = x.rows();
        if (n == 0) {
            return;
        }
        int stages = stages(shape, x.cols(), slices, device.sharedPerBlock());
        CudaLaunch launch = shape.kernel().args().pointer(x).i64(n).i64(x.cols()).i32(slices).i32(stages).i32(products.size()).i32(f);
        int tile = 0;
        for (int i = 0; i < products.size(); i++) {
            Product p = products.get(i);
            launch.pointer(p.w()).pointer(p.bias()).pointer(residual).pointer(p.y()).i64(p.w().rows())
                    .i64(CudaLinear.biasType(p.bias()) & 0xffffffffL | (long) tile << 32);
            tile += Math.toIntExact(CudaLinear.ceil(p.w().rows(), (long) shape.units() * UNIT));
        }
        for (int i = products.size() * FIELDS; i < PRODUCTS * FIELDS; i++) {
            launch.i64(0);
        }
        launch.runClusters(slices, Math.multiplyExact(tiles, slices), Math.toIntExact(CudaLinear.ceil(n, shape.rows())), shape.threads(),
                BARRIERS + stages * shape.stageBytes());
    }

    /** One for every block of k that a slice has, if so many fit; at least two, and room for the tile's sums. */
    static int stages(Shape shape, long in, int slices, int sharedBytes) {
        int sums = shape.rows() * (shape.units() * UNIT + 4) * 4;
        int least = (int) Math.max(2, CudaLinear.ceil(sums, shape.stageBytes()));
        int most = Math.min(MOST_STAGES, (sharedBytes - BARRIERS) / shape.stageBytes());
        return (int) Math.max(least, Math.min(most, CudaLinear.ceil(in / UNIT, slices)));
    }
}
