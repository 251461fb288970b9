package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;

/**
 * Launches of {@code cuda/hyperbody.cu} and {@code cuda/hyperbodymany.cu}: a hypernetwork's body in one, for bf16 weights of the sizes that
 * published checkpoints have for Mistral-7B, on compute capability 9.0. Whether a body comes here follows from its weights alone; which of
 * the two leaves no trace in the bits.
 */
final class CudaHyperBody {
    /** Sizes of {@code hyperbody.cuh}, by their names there. */
    private static final int BLOCKS = 4;
    private static final int BLOCK_FIELDS = 9;
    private static final int CLUSTER = 8;
    private static final int ROWS = 8;
    private static final int LATENT = 128;
    private static final int INNER = 512;
    private static final int TASK = LATENT / 2;
    private static final int OWN = INNER / CLUSTER;
    private static final int UP_BYTES = OWN * (LATENT * 2 + 16);
    private static final int DOWN_PITCH = OWN * 2 + 16;
    private static final int THREADS = 256;
    /** Barriers, the task's outputs, x, h and the sums of every second block; then come the last block's, as wide as it is, and weights. */
    private static final int BEFORE_SUMS = 64 + ROWS * 4 * (TASK / CLUSTER + LATENT + 8 + OWN + 8 + LATENT + 4);
    private static final int MANY_ROWS = CLUSTER * ROWS;
    private static final int SUMS = MANY_ROWS * (LATENT + 4) * 4;
    /** Barriers, the task's outputs, x and h as their two parts, two of sums, four pieces of weights. */
    private static final int MANY_BYTES = 128 + MANY_ROWS * (TASK / CLUSTER * 4 + LATENT * 4 + 64 + OWN * 4 + 64) + 2 * SUMS + 4 * 128 * DOWN_PITCH;

    private final CudaDevice device;
    private final CudaFunction few;
    private final CudaFunction many;

    CudaHyperBody(CudaDevice device) {
        this.device = device;
        this.few = device.module("hyperbody").function("hyper_body").maxShared(device.sharedPerBlock());
        this.many = device.module("hyperbodymany").function("hyper_body_many").maxShared(device.sharedPerBlock());
    }

    /** {@link Backend#hyperBody}; or nothing, and returns false, if it is of another shape. */
    boolean run(Tensor x, TaskEncoder task, List<FeedForward> blocks) {
        if (x.cols() != LATENT || x.rows() == 0 || blocks.isEmpty() || blocks.size() > BLOCKS || task != null && !takes(task)) {
            return false;
        }
        float eps = eps(task, blocks);
        for (int i = 0; i < blocks.size(); i++) {
            if (!takes(blocks.get(i), i + 1 == blocks.size(), eps)) {
                return false;
            }
        }
        int shared = sharedBytes(blocks);
        if (shared > device.sharedPerBlock()) {
            return false;
        }
        boolean isMany = x.rows() > device.multiprocessors(); // clusters of few rows would have to wait for each other
        CudaLaunch launch = (isMany ? many : few).args().pointer(blocks.getLast().down().y()).pointer(x).i64(x.rows()).i32(task == null ? 0 : (int) task.embeddings().cols())
                .i32(blocks.size());
        blocks.forEach(block -> pass(launch, block));
        for (int i = blocks.size() * BLOCK_FIELDS; i < BLOCKS * BLOCK_FIELDS; i++) {
            launch.i64(0);
        }
        pass(launch, task, eps);
        launch.runClusters(CLUSTER, Math.toIntExact(CLUSTER * CudaLinear.ceil(x.rows(), isMany ? MANY_ROWS : ROWS)), 1, THREADS, isMany ? MANY_BYTES : shared);
        return true;
    }

    private static int sharedBytes(List<FeedForward> blocks) {
        int bytes = BEFORE_SUMS;
        for (FeedForward block : blocks) {
            bytes += UP_BYTES + (int) block.down().w().rows() * DOWN_PITCH;
        }
        return bytes + ROWS * 4 * (int) (Math.max(LATENT, blocks.getLast().down().w().rows()) + 4);
    }

    /** All norms have this one. */
    private static float eps(TaskEncoder task, List<FeedForward> blocks) {
        return task != null ? task.norm().eps() : blocks.stream().filter(block -> block.norm() != null).map(block -> block.norm().eps()).findFirst().orElse(0f);
    }

    private static boolean takes(TaskEncoder task) {
        Tensor w = task.linear().w();
        return w.dtype() == DType.BF16 && w.rows() == TASK && w.cols() % 8 == 0 && CudaLinear.aligned(w) && task.embeddings().address() % 16 == 0;
    }

    private static boolean takes(FeedForward block, boolean last, float eps) {
        Tensor up = block.up().w();
        Tensor down = block.down().w();
        long out = down.rows();
        return up.dtype() == DType.BF16 && down.dtype() == DType.BF16 && up.rows() == INNER && up.cols() == LATENT && CudaLinear.aligned(up) && CudaLinear.aligned(down)
                && (out == LATENT || last && !block.residual() && out % CudaPanels.UNIT == 0 && out <= INNER) && (block.norm() == null || block.norm().eps() == eps);
    }

    /** The fields of {@code struct body_block}. */
    private static void pass(CudaLaunch launch, FeedForward block) {
        AffineNorm norm = block.norm();
        launch.pointer(norm == null ? null : norm.weight()).pointer(norm == null ? null : norm.bias()).pointer(block.up().w()).pointer(block.down().w())
                .pointer(block.up().bias()).pointer(block.down().bias()).i64(norm == null ? 0 : types(norm.weight(), norm.bias()))
                .i64(types(block.up().bias(), block.down().bias())).i64(pair((int) block.down().w().rows(), block.residual() ? 1 : 0));
    }

    /** Those of {@code struct body_network} behind the blocks. */
    private static void pass(CudaLaunch launch, TaskEncoder task, float eps) {
        if (task == null) {
            launch.i64(0).i64(0).i64(0).i64(0).i64(0).i64(0).i64(0);
        } else {
            launch.pointer(task.embeddings()).pointer(task.taskOfRow()).pointer(task.linear().w()).pointer(task.linear().bias()).pointer(task.norm().weight())
                    .pointer(task.norm().bias()).i64(types(task.linear().bias(), task.norm().weight()));
        }
        launch.i64(pair(task == null ? 0 : CudaLinear.biasType(task.norm().bias()), Float.floatToRawIntBits(eps)));
    }

    private static long types(Tensor first, Tensor second) {
        return pair(CudaLinear.biasType(first), CudaLinear.biasType(second));
    }

    private static long pair(int low, int high) {
        return low & 0xffffffffL | (long) high << 32;
    }
}
