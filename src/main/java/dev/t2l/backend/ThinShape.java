package dev.t2l.backend;

/**
 * How a launch of {@code cuda/thin.cu} is cut; whatever is chosen, a row has the same bits.
 *
 * @param group  rows of x a block takes
 * @param groups of rows
 * @param blocks that share the tiles of a group
 * @param panel  columns of x in shared memory
 * @param stages of each warp's ring
 */
record ThinShape(ThinKernel kernel, int group, int groups, int blocks, int panel, int stages, int sharedBytes) {
    private static final int MOST_ROWS = 8;
    /** Bytes of weights that a multiprocessor should have under way: 1.3 us at its share of 3 TB/s. */
    private static final long UNDER_WAY = 32 << 10;
    /** What laying out an element of x costs, as bytes of weights that come in meanwhile. */
    private static final long LAYING_OUT = 3;

    /** Rows of x; input features; bytes of a weight's row; 16s of outputs, and 32s, each product's rounded up (half as many of each of a pair). */
    record Work(long rows, long in, long rowBytes, long narrowTiles, long wideTiles) {
    }

    /**
     * The shape with the lowest estimate of time. Blocks stay for several tiles, one block a multiprocessor; where it costs nothing, they
     * take half of its shared memory, so that the next launch's blocks find room beside them. Fewer rows a block where eight have no room.
     *
     * @param kernels      of the weights' type
     * @param sharedLimit  bytes of shared memory that a block may have
     * @return null if not even one row has room
     */
    static ThinShape choose(ThinKernel[] kernels, Work work, int multiprocessors, int sharedLimit) {
        int fewest = Math.toIntExact(CudaLinear.ceil(work.rows(), MOST_ROWS));
        int half = (sharedLimit - 1024) / 2; // a block has 1024 bytes besides
        for (int group = (int) CudaLinear.ceil(work.rows(), fewest); group > 0; group--) {
            ThinShape best = null;
            for (ThinKernel kernel : kernels) {
                if (group <= kernel.rows() && (group > 4 || kernel.fours() == 1 || kernel.tiles() > 1)) {
                    best = better(best, of(kernel, work, group, multiprocessors, half), work);
                    best = better(best, of(kernel, work, group, multiprocessors, sharedLimit), work);
                }
            }
            if (best != null) {
                return best;
            }
        }
        return null;
    }

    private static ThinShape better(ThinShape a, ThinShape b, Work work) {
        return a == null || b != null && b.cost(work) < a.cost(work) ? b : a;
    }

    /** With all of x in shared memory if that leaves room for two stages, else with enough stages and as much of x as can be; or null. */
    private static ThinShape of(ThinKernel kernel, Work work, int group, int multiprocessors, int limit) {
        long panel = CudaLinear.ceil(work.in(), kernel.panelUnit()) * kernel.panelUnit();
        int stages = kernel.stages(group, work.in(), panel, limit);
        if (stages < 2) {
            stages = 1 + (int) CudaLinear.ceil(UNDER_WAY, kernel.stageBytes());
            do {
                panel = kernel.panel(group, work.in(), stages, limit);
            } while (panel == 0 && --stages >= 2);
            if (panel == 0) {
                return null;
            }
            stages = kernel.stages(group, work.in(), panel, limit);
        }
        int groups = Math.toIntExact(CudaLinear.ceil(work.rows(), group));
        int blocks = (int) Math.clamp(tiles(kernel, work), 1, Math.max(1, multiprocessors / groups));
        return new ThinShape(kernel, group, groups, blocks, Math.toIntExact(panel), stages, Math.toIntExact(kernel.sharedBytes(group, work.in(), panel, stages)));
    }

    private static long tiles(ThinKernel kernel, Work work) {
        return kernel.tiles() == 1 ? work.narrowTiles() : work.wideTiles();
    }

    /** What the busiest block reads, in bytes, longer where too little is under way; x is laid out for every tile if it is not whole. */
    private double cost(Work work) {
        long tiles = CudaLinear.ceil(tiles(kernel, work), blocks);
        double weights = (double) tiles * kernel.outputs() * work.rowBytes();
        double slower = Math.max(1, (double) UNDER_WAY / ((stages - 1L) * kernel.stageBytes()));
        return weights * slower + LAYING_OUT * (double) group * work.in() * (panel >= work.in() ? 1 : tiles);
    }
}
