package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;

/**
 * {@link Mixed} by kernels that read and write BF16 as it lies: products by {@link CudaDense}, the rest by {@code cuda/mixed.cu}, {@code
 * cuda/convert.cu}, {@code cuda/loraspans.cu} and {@code cuda/attentionhalf.cu}. What one of them does not take is widened, and F32 alone
 * goes to the kernels of {@link CudaBackend} and {@link CudaGradients}; of adapters, F32 has kernels here, too.
 */
final class CudaMixed extends WidenedMixed {
    private static final int THREADS = 256;
    private static final int EACH = 8;
    private static final long MOST_BLOCKS = 8192;
    /** Rows longer than this have a block, others a warp. */
    private static final long LONG_ROW = 1024;

    /** The kernels, one set a backend. */
    static final class Kernels {
        private final CudaLoraSpans lora;
        private final CudaHalfAttention attention;
        private final CudaFunction norm;
        private final CudaFunction normBackward;
        private final CudaFunction rope;
        private final CudaFunction gated;
        private final CudaFunction gatedBackward;

        Kernels(CudaDevice device, CudaLoraSpans lora) {
            this.lora = lora;
            attention = new CudaHalfAttention(device);
            CudaModule mixed = device.module("mixed");
            norm = mixed.function("mixed_norm");
            normBackward = mixed.function("mixed_norm_backward");
            rope = mixed.function("mixed_rope");
            gated = device.module("convert").function("convert_gated");
            gatedBackward = mixed.function("mixed_gated_backward");
        }
    }

    private final Kernels kernels;
    private final CudaDense dense;

    /** @param dense products of the view, null if it has no others than the plain one, and may round nothing */
    CudaMixed(Backend backend, Kernels kernels, CudaDense dense) {
        super(backend);
        this.kernels = kernels;
        this.dense = dense;
    }

    // Products

    @Override
    public void products(Tensor x, List<Product> products) {
        if (dense == null || !dense.products(x, products)) {
            super.products(x, products);
        }
    }

    @Override
    public void addProduct(Tensor x, Tensor in, Product product) {
        if (dense == null || !dense.addProduct(x, in, product)) {
            super.addProduct(x, in, product);
        }
    }

    @Override
    public void linearBackward(Tensor dx, Tensor dy, Tensor w, boolean add) {
        if (dense == null || !dense.backward(dx, dy, w, add)) {
            super.linearBackward(dx, dy, w, add);
        }
    }

    @Override
    public void lora(Tensor y, Tensor x, LoraSpans spans) {
        if (CudaLoraSpans.takes(y, null, x)) {
            kernels.lora.forward(y, x, spans);
        } else {
            super.lora(y, x, spans);
        }
    }

    @Override
    public void loraBackward(Tensor dx, Tensor dy, Tensor x, LoraSpans spans) {
        if (CudaLoraSpans.takes(dx, dy, x)) {
            kernels.lora.backward(dx, dy, x, spans);
        } else {
            super.loraBackward(dx, dy, x, spans);
        }
    }

    // Element-wise

    @Override
    public void gated(Tensor out, Tensor gate, Tensor up, Activation f) {
        if (eights(out) && eights(gate) && eights(up)) {
            kernels.gated.args().pointer(out).pointer(gate).pointer(up).i64(out.elements()).i32(f.ordinal()).run(blocks(out.elements() / EACH), 1, 1, THREADS, 0);
        } else {
            super.gated(out, gate, up, f);
        }
    }

    @Override
    public void gatedBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up, Activation f) {
        if (eights(dgate) && eights(dup) && eights(dy) && eights(gate) && eights(up)) {
            kernels.gatedBackward.args().pointer(dgate).pointer(dup).pointer(dy).pointer(gate).pointer(up).i64(gate.elements() / EACH).i32(f.ordinal())
                    .run(blocks(gate.elements() / EACH), 1, 1, THREADS, 0);
        } else {
            super.gatedBackward(dgate, dup, dy, gate, up, f);
        }
    }

    // Norms

    @Override
    public void rmsNorm(Tensor out, Tensor copy, Tensor x, Norm norm) {
        if (x.cols() % EACH == 0 && aligned(x) && aligned(out) && (half(x) || half(out)) && (copy == null || eights(copy))) {
            rows(kernels.norm.args().pointer(out).i32(half(out) ? 1 : 0).pointer(copy).pointer(x).i32(half(x) ? 1 : 0), x, norm, wide(x), null);
        } else {
            super.rmsNorm(out, copy, x, norm);
        }
    }

    @Override
    public void rmsNormBackward(Tensor dx, Tensor copy, Tensor dy, Tensor x, Norm norm, boolean add) {
        if (x.cols() % EACH == 0 && eights(x) && aligned(dx) && aligned(dy) && (copy == null || eights(copy))) {
            rows(kernels.normBackward.args().pointer(dx).i32(half(dx) ? 1 : 0).pointer(copy).pointer(dy).i32(half(dy) ? 1 : 0).pointer(x), x, norm, wide(x), add);
        } else {
            super.rmsNormBackward(dx, copy, dy, x, norm, add);
        }
    }

    /** @param add null for a kernel that has no such parameter */
    private static void rows(CudaLaunch launch, Tensor x, Norm norm, boolean wide, Boolean add) {
        launch.i64(x.rows()).i32((int) (x.cols() / EACH)).pointer(norm.weight()).i32(KernelTypes.require("rmsNorm", norm.weight())).f32(norm.eps()).f32(norm.weightOffset());
        if (add != null) {
            launch.i32(add ? 1 : 0);
        }
        launch.i32(wide ? 1 : 0).run(Math.toIntExact(wide ? x.rows() : CudaLinear.ceil(x.rows(), EACH)), 1, 1, THREADS, 0);
    }

    private static boolean wide(Tensor x) {
        return x.cols() > LONG_ROW;
    }

    // Attention

    @Override
    public void rope(Tensor x, Tensor angles, boolean interleaved) {
        int h = (int) (angles.cols() / 2);
        if (eights(x) && h % EACH == 0 && aligned(angles)) {
            kernels.rope.args().pointer(x).i64(x.rows()).i32((int) (x.cols() / angles.cols())).i32(h).pointer(angles).i32(interleaved ? 1 : 0)
                    .run(blocks(x.elements() / (2 * EACH)), 1, 1, THREADS, 0);
        } else {
            super.rope(x, angles, interleaved);
        }
    }

    @Override
    public void attention(Tensor out, Tensor logSums, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec) {
        if (dense == null || !kernels.attention.forward(new CudaHalfAttention.Tensors(q, k, v, out, logSums, null, null, null, null, ranges, null), spec)) {
            super.attention(out, logSums, q, k, v, ranges, spec);
        }
    }

    @Override
    public void attentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dout, Tensor out, Tensor logSums, Tensor q, Tensor k, Tensor v,
            Gradients.AttentionRows rows, AttentionSpec spec) {
        var tensors = new CudaHalfAttention.Tensors(q, k, v, out, logSums, dout, dq, dk, dv, rows.ranges(), rows.seen());
        if (dense == null || !kernels.attention.backward(tensors, spec)) {
            super.attentionBackward(dq, dk, dv, dout, out, logSums, q, k, v, rows, spec);
        }
    }

    private static boolean half(Tensor t) {
        return t.dtype() == DType.BF16;
    }

    private static boolean aligned(Tensor t) {
        return t.address() % 16 == 0;
    }

    /** Whether t is BF16 in whole eights. */
    private static boolean eights(Tensor t) {
        return half(t) && aligned(t) && t.elements() % EACH == 0;
    }

    private static int blocks(long threads) {
        return (int) Math.min(MOST_BLOCKS, CudaLinear.ceil(threads, THREADS));
    }
}
