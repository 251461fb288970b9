package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Launches of {@code cuda/hyperheads.cu}: heads with 16-bit weights whose factors are whole columns of consecutive rows, a row a layer
 * (the variants that make all ranks at once). The bits are those of a product by tiles and {@code loraFactor}; or, of bf16 weights where
 * the device has {@link CudaPanels}, of a product by panels without slices.
 */
final class CudaHeads {
    /** Sizes of {@code struct head_cuts}, and its columns a tile. */
    private static final int CUTS = 16;
    private static final int OUTS = 224;
    private static final int CUT_FIELDS = 10;
    private static final int COLUMNS = 128;
    private static final int FEW_ROWS = 32;
    private static final int MANY_ROWS = 128;

    /** One factor of consecutive descriptions. */
    private record Part(Head head, Head.Cut first, List<Tensor> outs) {
        long layers() {
            return first.out().dim(0);
        }

        int rank() {
            return Math.toIntExact(first.out().dim(first.source().transposed() ? 2 : 1));
        }

        int features() {
            return Math.toIntExact(first.out().dim(first.source().transposed() ? 1 : 2));
        }

        /** Row of z that the first description's first layer reads. */
        long row() {
            return first.source().start() / head.w().rows();
        }

        long column() {
            return first.source().start() % head.w().rows();
        }

        long rows() {
            return outs.size() * layers();
        }

        int tiles(int columns) {
            return Math.toIntExact(CudaLinear.ceil((long) rank() * features(), columns));
        }

        /** Whether {@code cut} is the next description's. */
        boolean continues(Head.Cut cut) {
            LoraFactor a = first.source();
            LoraFactor b = cut.source();
            return cut.scale() == first.scale() && cut.shift() == first.shift() && a.transposed() == b.transposed() && a.layerStride() == b.layerStride()
                    && a.rankStride() == b.rankStride() && b.start() == a.start() + rows() * head.w().rows()
                    && Arrays.equals(first.out().shape(), cut.out().shape());
        }

        boolean isColumns() {
            long width = head.w().rows();
            LoraFactor source = first.source();
            return source.layerStride() == width && source.rankStride() >= features() && column() + (rank() - 1L) * source.rankStride() + features() <= width
                    && (long) rank() * features() < Integer.MAX_VALUE && rows() < Integer.MAX_VALUE;
        }
    }

    private final CudaDevice device;
    private final CudaFunction[][] kernels = new CudaFunction[3][]; // by type: few rows, many
    private final int[][] shared = new int[3][];
    private final CudaPanels.Shape[] panels; // fewest rows first, or null

    /** @param panels whether the device has them */
    CudaHeads(CudaDevice device, boolean panels) {
        this.device = device;
        CudaModule module = device.module("hyperheads");
        for (DType type : new DType[] {DType.F16, DType.BF16}) {
            int code = KernelTypes.code(type);
            String name = "hyper_heads_" + (type == DType.F16 ? "f16_" : "bf16_");
            shared[code] = new int[] {CudaLinear.tensorBytes(code, FEW_ROWS, COLUMNS), CudaLinear.tensorBytes(code, MANY_ROWS, COLUMNS)};
            kernels[code] = new CudaFunction[] {module.function(name + FEW_ROWS).maxShared(shared[code][0]), module.function(name + MANY_ROWS).maxShared(shared[code][1])};
        }
        this.panels = panels ? new CudaPanels.Shape[] {panel(module, 32, 4, 1), panel(module, 64, 4, 1), panel(module, 128, 2, 2)} : null;
    }

    private CudaPanels.Shape panel(CudaModule module, int rows, int units, int loaders) {
        return new CudaPanels.Shape(module.function("hyper_panels_" + rows).maxShared(device.sharedPerBlock()), rows, units, loaders);
    }

    /** Does all heads; or nothing, and returns false, if some are not of the kind above. */
    boolean run(List<Head> heads) {
        if (heads.isEmpty() || !heads.stream().allMatch(h -> alike(h, heads.getFirst()))) {
            return false;
        }
        List<Part> parts = parts(heads);
        if (!parts.stream().allMatch(Part::isColumns)) {
            return false;
        }
        var batch = new ArrayList<Part>();
        int outs = 0;
        for (Part part : parts) {
            if (batch.size() == CUTS || outs + part.outs().size() > OUTS) {
                launch(batch);
                batch.clear();
                outs = 0;
            }
            batch.add(part);
            outs += part.outs().size();
        }
        launch(batch);
        return true;
    }

    private static boolean alike(Head head, Head first) {
        DType type = head.w().dtype();
        return (type == DType.F16 || type == DType.BF16) && type == first.w().dtype() && head.w().cols() == first.w().cols() && CudaLinear.aligned(head.w());
    }

    /** The cuts, those of consecutive descriptions together as far as one launch has room for all factors of as many descriptions. */
    private static List<Part> parts(List<Head> heads) {
        var parts = new ArrayList<Part>();
        int most = OUTS / Math.min(CUTS, 2 * heads.size());
        for (Head head : heads) {
            int from = parts.size();
            for (Head.Cut cut : head.cuts()) {
                Part open = null;
                for (Part part : parts.subList(from, parts.size())) {
                    open = part.outs().size() < most && part.continues(cut) ? part : open;
                }
                if (open == null) {
                    open = new Part(head, cut, new ArrayList<>());
                    parts.add(open);
                }
                open.outs().add(cut.out());
            }
        }
        return parts;
    }

    private void launch(List<Part> parts) {
        if (panels != null && CudaPanels.takes(parts.getFirst().head().w())) {
            launchPanels(parts);
        } else {
            launchTiles(parts);
        }
    }

    private void launchTiles(List<Part> parts) {
        Tensor w = parts.getFirst().head().w();
        int type = KernelTypes.code(w.dtype());
        long rows = rows(parts);
        int large = rows > FEW_ROWS && shared[type][1] <= device.sharedPerBlock() ? 1 : 0;
        CudaLaunch launch = kernels[type][large].args().i64(w.cols()).i64(w.dtype().bytes(w.cols())).i32(parts.size());
        pass(launch, parts, COLUMNS);
        launch.run(tiles(parts, COLUMNS), Math.toIntExact(CudaLinear.ceil(rows, large == 1 ? MANY_ROWS : FEW_ROWS)), 1, large == 1 ? 256 : 128,
                shared[type][large]);
    }

    /** A block a multiprocessor, as many stages as fit beside the buffers that sums are stored through, [32][68] a unit. */
    private void launchPanels(List<Part> parts) {
        long rows = rows(parts);
        CudaPanels.Shape shape = panels[rows <= panels[0].rows() ? 0 : rows <= panels[1].rows() ? 1 : 2];
        int units = tiles(parts, CudaPanels.UNIT);
        int buffers = shape.units() * 32 * (CudaPanels.UNIT + 4) * 4;
        int stages = Math.min(CudaPanels.MOST_STAGES, (device.sharedPerBlock() - CudaPanels.BARRIERS - buffers) / shape.stageBytes());
        CudaLaunch launch = shape.kernel().args().i64(parts.getFirst().head().w().cols()).i32(stages).i32(units).i32(parts.size());
        pass(launch, parts, CudaPanels.UNIT);
        launch.runClusters(1, Math.min(device.multiprocessors(), units), 1, shape.threads(), CudaPanels.BARRIERS + stages * shape.stageBytes() + buffers);
    }

    private static long rows(List<Part> parts) {
        return parts.stream().mapToLong(Part::rows).max().orElseThrow();
    }

    private static int tiles(List<Part> parts, int columns) {
        return parts.stream().mapToInt(part -> part.tiles(columns)).sum();
    }

    /** The fields of {@code struct head_cuts}, for tiles of so many columns. */
    private static void pass(CudaLaunch launch, List<Part> parts, int columns) {
        int tile = 0;
        int out = 0;
        for (Part part : parts) {
            pass(launch, part, tile, out);
            tile += part.tiles(columns);
            out += part.outs().size();
        }
        for (int i = parts.size() * CUT_FIELDS; i < CUTS * CUT_FIELDS; i++) {
            launch.i64(0);
        }
        for (Part part : parts) {
            for (Tensor t : part.outs()) {
                launch.i64(t.address());
            }
        }
        for (; out < OUTS; out++) {
            launch.i64(0);
        }
    }

    /** The fields of {@code struct head_cut}. */
    private static void pass(CudaLaunch launch, Part part, int firstTile, int firstOut) {
        Head head = part.head();
        Head.Cut cut = part.first();
        Tensor bias = head.bias();
        launch.i64(head.z().address() + part.row() * head.z().cols() * 4).i64(head.w().address() + part.column() * head.w().dtype().bytes(head.w().cols()))
                .i64(bias == null ? 0 : bias.address() + bias.dtype().bytes(part.column())).i64(address(cut.scale())).i64(address(cut.shift()))
                .i64(cut.source().rankStride()).i64(pair(part.rank(), cut.source().transposed() ? 1 : 0)).i64(pair(part.features(), (int) part.layers()))
                .i64(pair((int) part.rows(), firstOut)).i64(pair(firstTile, CudaLinear.biasType(bias)));
    }

    private static long address(Tensor t) {
        return t == null ? 0 : t.address();
    }

    private static long pair(int low, int high) {
        return (low & 0xffffffffL) | (long) high << 32;
    }
}
