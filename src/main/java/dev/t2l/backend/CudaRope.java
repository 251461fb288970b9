package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/** Launches of {@code cuda/rope.cu}. */
final class CudaRope {
    private static final int THREADS = 256;

    private final CudaDevice device;
    private final CudaFunction angles;
    private final CudaFunction rope;
    private final CudaFunction store;

    CudaRope(CudaDevice device) {
        this.device = device;
        CudaModule module = device.module("rope");
        angles = module.function("rope_angles");
        rope = module.function("rope");
        store = module.function("rope_store");
    }

    /** {@link Backend#ropeAngles}. */
    void angles(Tensor out, Tensor positions, Tensor invFreq, float factor) {
        angles.args().pointer(out).pointer(positions).i64(positions.elements()).pointer(invFreq).i64(invFreq.elements()).f32(factor)
                .run(blocks(positions.elements() * invFreq.elements(), THREADS), 1, 1, THREADS, 0);
    }

    /** {@link Backend#rope}. */
    void rope(Tensor x, Tensor turns, boolean interleaved) {
        rope.args().pointer(x).i32((int) (x.cols() / turns.cols())).i32((int) (turns.cols() / 2)).pointer(turns).i32(interleaved ? 1 : 0)
                .run(blocks(x.rows(), 1), 1, 1, THREADS, 0);
    }

    /** {@link Backend#ropeStore}. */
    void store(Tensor q, Tensor k, Tensor v, Tensor turns, boolean interleaved, Tensor keys, Tensor values, Tensor index) {
        long width = turns.cols();
        long pairs = (q.cols() + 2 * k.cols()) / 2;
        store.args().pointer(q).pointer(k).pointer(v).i32((int) (q.cols() / width)).i32((int) (k.cols() / width)).i32((int) (width / 2)).pointer(turns)
                .i32(interleaved ? 1 : 0).pointer(keys).pointer(values).i64(keys.rows()).pointer(index).i64(device.fault())
                .run(blocks(q.rows(), 1), blocks(pairs, THREADS), 1, THREADS, 0);
    }

    private static int blocks(long n, int each) {
        return Math.toIntExact(CudaLinear.ceil(n, each));
    }
}
