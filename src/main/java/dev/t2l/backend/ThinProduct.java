package dev.t2l.backend;

/**
 * A kernel of {@code cuda/linear.cu} for 16-bit or quantised weights: up to {@link #ROWS} rows of x meet {@code 8 * tiles} outputs a
 * block. Its sizes follow from the format as in that file, which refuses less shared memory than it needs.
 */
final class ThinProduct {
    static final int ROWS = 8;
    static final int WARPS = 8;
    private static final int STAGES_BYTES = 12288;
    private static final int MOST_STAGES = 5;
    /** Floats of x in shared memory that are worth having; any number gives the same bits. */
    private static final int PANEL = 4096;

    /**
     * What {@code cuda/blocks.cuh} says of a format.
     *
     * @param chunk  elements a stage of a warp
     * @param pitch  16-byte pieces from a staged row to the next
     * @param scales scales a chunk and row
     * @param minimums whether there are as many minimums
     */
    record Format(int chunk, int pitch, int scales, boolean minimums) {
        static Format of(int type) {
            return switch (type) {
                case 1, 2 -> new Format(128, 16, 0, false);
                case 3 -> new Format(256, 11, 8, false);
                case 4, 6 -> new Format(256, 11, 8, true);
                case 5 -> new Format(256, 19, 8, false);
                case 7 -> new Format(256, 15, 16, false);
                default -> throw new IllegalArgumentException("type " + type);
            };
        }
    }

    final CudaFunction kernel;
    final int tiles;
    private final Format format;
    private final int perWarp;

    ThinProduct(CudaFunction kernel, Format format, int tiles) {
        this.kernel = kernel;
        this.format = format;
        this.tiles = tiles;
        int stage = outputs() * format.pitch() * 16;
        int scales = format.scales() * outputs() * (format.minimums() ? 8 : 4);
        this.perWarp = Math.clamp((STAGES_BYTES - scales) / stage, 2, MOST_STAGES) * stage + scales;
    }

    /** Outputs a block makes. */
    int outputs() {
        return 8 * tiles;
    }

    /** Columns of {@code rows} rows of x that lie in shared memory together: a power of two, and a chunk for every warp at least. */
    int panel(int rows, long in) {
        int panel = WARPS * format.chunk();
        while (panel < in && 2 * panel * rows <= PANEL) {
            panel *= 2;
        }
        return panel;
    }

    int sharedBytes(int rows, int panel) {
        return panel * rows * 4 + (format.minimums() ? panel / 32 * rows * 4 : 0) + WARPS * perWarp;
    }

    /** The most rows of x up to {@code wanted} that a block has room for; 0 if for none. */
    int rows(int wanted, long in, int sharedPerBlock) {
        for (int rows = wanted; rows > 0; rows /= 2) {
            if (sharedBytes(rows, panel(rows, in)) <= sharedPerBlock) {
                return rows;
            }
        }
        return 0;
    }
}
