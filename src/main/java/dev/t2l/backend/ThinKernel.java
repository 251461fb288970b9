package dev.t2l.backend;

/**
 * A kernel of {@code cuda/thin.cu}: {@code 16 * tiles} outputs meet up to {@code 4 * fours} rows of x. Its sizes follow from the format
 * as in {@code cuda/blocks.cuh} and {@code cuda/thin.cuh}; it refuses less shared memory than it needs.
 */
record ThinKernel(String name, Format format, int tiles, int fours) {
    static final int WARPS = 8;
    static final int MOST_STAGES = 8;
    private static final int XBLOCK = 256;

    /**
     * What {@code cuda/blocks.cuh} says of a format.
     *
     * @param chunk    elements a stage of a warp and row
     * @param bytes    of these
     * @param pitch    16-byte pieces from a staged row to the next
     * @param sums     of x that each 32 needs
     * @param prepared whether scales are unpacked ahead
     */
    record Format(int chunk, int bytes, int pitch, int sums, boolean prepared) {
        static Format of(int type) {
            return switch (type) {
                case 1, 2 -> new Format(64, 128, 8, 0, false);
                case 3 -> new Format(256, 144, 11, 1, false);
                case 4 -> new Format(256, 160, 11, 1, false);
                case 5 -> new Format(128, 136, 11, 1, false);
                case 6 -> new Format(256, 144, 11, 1, true);
                case 7 -> new Format(256, 210, 15, 2, true);
                default -> throw new IllegalArgumentException("thin.cu has no kernels of type " + type);
            };
        }
    }

    /** The kernels of a type of weights, a code of {@link KernelTypes}: those for up to four rows, up to eight, and up to eight with twice as many outputs. */
    static ThinKernel[] of(int type) {
        Format format = Format.of(type);
        String name = "thin_" + KernelTypes.name(type);
        return new ThinKernel[] {new ThinKernel(name + "_4", format, 1, 1), new ThinKernel(name + "_8", format, 1, 2),
            new ThinKernel(name + "_wide", format, 2, 2)};
    }

    /** Threads of a block: one warp finishes what the others multiply. */
    static int threads() {
        return 32 * (WARPS + 1);
    }

    int outputs() {
        return 16 * tiles;
    }

    /** The most rows of x. */
    int rows() {
        return 4 * fours;
    }

    /** A panel of x has a multiple of so many columns. */
    int panelUnit() {
        return WARPS * format.chunk();
    }

    /** Bytes of weights that one stage of every warp holds. */
    int stageBytes() {
        return WARPS * outputs() * format.bytes();
    }

    /** Bytes of shared memory: {@code thin_room::all}. */
    long sharedBytes(long rows, long in, long panel, int stages) {
        long squares = round16(4 * rows * CudaLinear.ceil(in, XBLOCK));
        long x = 4 * rows * (panel + panel / 32 * format.sums()) + round16(4 * rows * (panel / XBLOCK));
        long partial = 2L * WARPS * rows() * outputs() * 4;
        long beside = 2L * rows() * outputs() * 4;
        return 64 + squares + x + partial + beside + stages * ringBytes(1) + ringBytes(0);
    }

    /** The most stages that fit beside the rest, up to {@link #MOST_STAGES}; below 2 is none. */
    int stages(long rows, long in, long panel, long limit) {
        return (int) Math.clamp((limit - sharedBytes(rows, in, panel, 0)) / ringBytes(1), 0, MOST_STAGES);
    }

    /** The widest panel that fits; 0 if none does. */
    long panel(long rows, long in, int stages, long limit) {
        long unit = panelUnit();
        long each = 4 * rows * (unit + unit / 32 * format.sums()) + round16(4 * rows * (unit / XBLOCK));
        return Math.max(0, limit - sharedBytes(rows, in, 0, stages)) / each * unit;
    }

    /** Of all warps: of a stage, or of what their rings have besides (0). */
    private long ringBytes(int stages) {
        int scales = format.prepared() ? tiles * format.chunk() / 32 * 128 : 0;
        return WARPS * (long) (stages == 0 ? scales : outputs() * format.pitch() * 16);
    }

    private static long round16(long bytes) {
        return (bytes + 15) / 16 * 16;
    }
}
