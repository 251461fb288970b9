package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/**
 * The training kernels of {@code cuda/} on f32 tensors. Of {@link CudaBackend#prefilling()}, products go back through bf16 weights in bf16, too,
 * where {@link CudaDense} takes the product itself; all else is f32.
 */
final class CudaGradients implements Gradients {
    private static final int THREADS = 256;
    private static final int LOSS_THREADS = 512;
    private static final long MOST_BLOCKS = 4096;
    /** Blocks of a sum over all elements, at most. */
    private static final long SUMS = 1024;
    /** Rows that a block of a layer norm's gradients adds up: as in the kernel. */
    private static final int PIECE = 32;

    /** The kernels, one set a backend. */
    static final class Kernels {
        private final CudaDevice device;
        private final CudaLinearBackward linear;
        private final CudaLoraSpans lora;
        private final CudaAttentionBackward attention;
        private final CudaFunction factor;
        private final CudaFunction gated;
        private final CudaFunction softcap;
        private final CudaFunction fill;
        private final CudaFunction cast;
        private final CudaFunction dropout;
        private final CudaFunction noise;
        private final CudaFunction scatterAdd;
        private final CudaFunction rmsNorm;
        private final CudaFunction layerNorm;
        private final CudaFunction layerNormPieces;
        private final CudaFunction layerNormGradients;
        private final CudaFunction crossEntropy;
        private final CudaFunction distance;
        private final CudaFunction sumSquares;
        private final CudaFunction finishSum;
        private final CudaFunction adamW;

        Kernels(CudaDevice device) {
            this.device = device;
            linear = new CudaLinearBackward(device);
            lora = new CudaLoraSpans(device);
            attention = new CudaAttentionBackward(device);
            factor = device.module("lorafactor").function("lora_factor_back");
            gated = device.module("activation").function("gated_backward");
            softcap = device.module("activation").function("softcap_backward");
            fill = device.module("cast").function("fill");
            cast = device.module("cast").function("cast");
            dropout = device.module("noise").function("dropout");
            noise = device.module("noise").function("add_noise");
            scatterAdd = device.module("scatteradd").function("scatter_add");
            CudaModule norms = device.module("normbackward");
            rmsNorm = norms.function("rms_norm_backward");
            layerNorm = norms.function("layer_norm_backward");
            layerNormPieces = norms.function("layer_norm_pieces");
            layerNormGradients = norms.function("layer_norm_gradients");
            crossEntropy = device.module("crossentropy").function("cross_entropy");
            CudaModule sums = device.module("sums");
            distance = sums.function("distance");
            sumSquares = sums.function("sum_squares");
            finishSum = sums.function("finish_sum");
            adamW = device.module("adamw").function("adamw");
        }

        CudaLoraSpans lora() {
            return lora;
        }
    }

    private final Kernels kernels;
    private final CudaDense dense;

    /** @param dense products of the view, null if it has no others than the plain one */
    CudaGradients(Kernels kernels, CudaDense dense) {
        this.kernels = kernels;
        this.dense = dense;
    }

    // Products

    @Override
    public void linearBackward(Tensor dx, Tensor dy, Tensor w, boolean add) {
        if (dense == null || !dense.backward(dx, dy, w, add)) {
            kernels.linear.backward(dx, dy, w, add);
        }
    }

    @Override
    public void linearGradient(Tensor dw, Tensor dbias, Tensor dy, Tensor x) {
        kernels.linear.gradient(dw, dbias, dy, x);
    }

    @Override
    public void loraBackward(Tensor dx, Tensor dy, Tensor x, LoraGradients lora) {
        fill(dx, 0);
        kernels.lora.backward(dx, dy, x, new LoraSpans(null, lora, 0, 0));
    }

    @Override
    public void loraFactorBackward(Tensor dy, Tensor dout, LoraFactor source, Tensor scale) {
        boolean transposed = source.transposed();
        kernels.factor.args().i64(dy.address() + 4 * source.start()).i64(dout.dim(0)).i64(dout.dim(transposed ? 2 : 1)).i64(dout.dim(transposed ? 1 : 2))
                .pointer(dout).i64(source.layerStride()).i64(source.rankStride()).i32(transposed ? 1 : 0).pointer(scale).run(spread(dout), 1, 1, THREADS, 0);
    }

    // Element-wise

    @Override
    public void activationBackward(Tensor dx, Tensor dy, Tensor x, Activation f) {
        gatedBackward(dx, null, dy, x, null, f);
    }

    @Override
    public void gatedBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up, Activation f) {
        kernels.gated.args().pointer(dgate).pointer(dup).pointer(dy).pointer(gate).pointer(up).i64(gate.elements()).i32(f.ordinal())
                .run(spread(gate), 1, 1, THREADS, 0);
    }

    @Override
    public void softcapBackward(Tensor dy, Tensor y, float cap) {
        kernels.softcap.args().pointer(dy).pointer(y).i64(y.elements()).f32(cap).run(spread(y), 1, 1, THREADS, 0);
    }

    @Override
    public void fill(Tensor x, float value) {
        kernels.fill.args().pointer(x).i64(x.elements()).f32(value).run(spread(x), 1, 1, THREADS, 0);
    }

    @Override
    public void convert(Tensor out, Tensor x) {
        kernels.cast.args().pointer(out).i32(plain(out)).pointer(x).i32(plain(x)).i64(x.elements()).run(blocks(x.elements(), 8 * THREADS), 1, 1, THREADS, 0);
    }

    @Override
    public void dropout(Tensor out, Tensor x, float p, long seed) {
        kernels.dropout.args().pointer(out).pointer(x).i64(x.elements()).i32(Noise.threshold(p)).f32(1 / (1 - p)).i64(seed).run(spread(x), 1, 1, THREADS, 0);
    }

    @Override
    public void addNoise(Tensor x, Tensor magnitude, long seed) {
        kernels.noise.args().pointer(x).i64(x.elements()).i64(x.cols()).pointer(magnitude).i64(seed).run(spread(x), 1, 1, THREADS, 0);
    }

    // Rows

    @Override
    public void scatterAdd(Tensor dtable, Tensor dy, long column, Tensor ids, float scale) {
        kernels.scatterAdd.args().pointer(dtable).i64(dtable.rows()).i64(dtable.cols()).pointer(dy).i64(dy.cols()).i64(column).pointer(ids).i64(ids.elements())
                .f32(scale).i64(kernels.device.fault()).run(Math.toIntExact(ids.elements()), 1, 1, THREADS, 0);
    }

    // Norms

    @Override
    public void rmsNormBackward(Tensor dx, Tensor dy, Tensor x, Norm norm, boolean add) {
        kernels.rmsNorm.args().pointer(dx).pointer(dy).pointer(x).i64(x.cols()).pointer(norm.weight()).i32(KernelTypes.require("rmsNormBackward", norm.weight()))
                .f32(norm.eps()).f32(norm.weightOffset()).i32(add ? 1 : 0).run(Math.toIntExact(x.rows()), 1, 1, THREADS, 0);
    }

    @Override
    public void layerNormBackward(Tensor dx, Tensor dweight, Tensor dbias, Tensor dy, Tensor x, Tensor weight, float eps, boolean add) {
        long n = x.rows();
        long d = x.cols();
        long pieces = CudaLinear.ceil(n, PIECE);
        CudaScratch scratch = kernels.device.scratch();
        synchronized (scratch) {
            long partial = dweight == null ? 0 : scratch.address(8 * pieces * d + 8 * n);
            long statistics = dweight == null ? 0 : partial + 8 * pieces * d;
            kernels.layerNorm.args().pointer(dx).pointer(dy).pointer(x).i64(d).pointer(weight).i32(KernelTypes.require("layerNormBackward", weight)).f32(eps)
                    .i32(add ? 1 : 0).i64(statistics).run(Math.toIntExact(n), 1, 1, THREADS, 0);
            if (dweight != null) {
                kernels.layerNormPieces.args().i64(partial).pointer(dy).pointer(x).i64(n).i64(d).i64(statistics)
                        .run(Math.toIntExact(CudaLinear.ceil(d, THREADS)), Math.toIntExact(pieces), 1, THREADS, 0);
                kernels.layerNormGradients.args().pointer(dweight).pointer(dbias).i64(partial).i64(pieces).i64(d)
                        .run(Math.toIntExact(CudaLinear.ceil(d, THREADS)), 1, 1, THREADS, 0);
            }
        }
    }

    // Attention

    @Override
    public void attentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dout, Tensor out, Tensor q, Tensor k, Tensor v, AttentionRows rows,
            AttentionSpec spec) {
        kernels.attention.run(new CudaAttentionBackward.Tensors(q, k, v, out, dout, dq, dk, dv), rows, spec);
    }

    // Losses

    @Override
    public void crossEntropy(Tensor loss, Tensor logits, Tensor labels, Tensor weight, float smoothing) {
        kernels.crossEntropy.args().pointer(loss).pointer(logits).i64(logits.cols()).pointer(labels).pointer(weight).f32(smoothing)
                .i64(kernels.device.fault()).run(Math.toIntExact(logits.rows()), 1, 1, LOSS_THREADS, 0);
    }

    @Override
    public void distance(Tensor loss, Tensor dx, Tensor x, Tensor target, float weight, boolean squared) {
        int blocks = sums(x);
        CudaScratch scratch = kernels.device.scratch();
        synchronized (scratch) {
            long partial = scratch.address(8 * SUMS);
            kernels.distance.args().i64(partial).pointer(dx).pointer(x).pointer(target).i64(x.elements()).f32(weight).i32(squared ? 1 : 0)
                    .run(blocks, 1, 1, THREADS, 0);
            finish(loss.address(), partial, blocks, weight, true);
        }
    }

    @Override
    public void sumSquares(Tensor out, long at, Tensor x) {
        int blocks = sums(x);
        CudaScratch scratch = kernels.device.scratch();
        synchronized (scratch) {
            long partial = scratch.address(8 * SUMS);
            kernels.sumSquares.args().i64(partial).pointer(x).i64(x.elements()).run(blocks, 1, 1, THREADS, 0);
            finish(out.address() + 4 * at, partial, blocks, 1, false);
        }
    }

    private void finish(long out, long partial, int count, float weight, boolean add) {
        kernels.finishSum.args().i64(out).i64(partial).i64(count).f32(weight).i32(add ? 1 : 0).run(1, 1, 1, THREADS, 0);
    }

    // Optimiser

    @Override
    public void adamW(Tensor w, Tensor g, Tensor m, Tensor v, AdamW step) {
        CudaLaunch launch = kernels.adamW.args().pointer(w).pointer(g).pointer(m).pointer(v).i64(w.elements());
        f64(launch, step.rate());
        f64(launch, step.beta1());
        f64(launch, step.beta2());
        f64(launch, step.eps());
        f64(launch, 1 - (double) step.rate() * step.weightDecay());
        f64(launch, 1 - Math.pow(step.beta1(), step.step()));
        f64(launch, 1 - Math.pow(step.beta2(), step.step()));
        f64(launch, step.gradScale());
        launch.run(spread(w), 1, 1, THREADS, 0);
    }

    /** A double of a structure. */
    private static void f64(CudaLaunch launch, double value) {
        launch.i64(Double.doubleToRawLongBits(value));
    }

    private static int plain(Tensor t) {
        if (t.dtype() != DType.F32 && t.dtype() != DType.F16 && t.dtype() != DType.BF16) {
            throw new IllegalArgumentException("convert: wanted F32, F16 or BF16, got " + t);
        }
        return KernelTypes.code(t.dtype());
    }

    private static int blocks(long n, int each) {
        return (int) Math.min(MOST_BLOCKS, CudaLinear.ceil(n, each));
    }

    /** Blocks for kernels that go over a tensor's elements in steps of their whole grid. */
    private static int spread(Tensor x) {
        return blocks(x.elements(), THREADS);
    }

    /** At least one block, so that there is a sum. */
    private static int sums(Tensor x) {
        return (int) Math.clamp(CudaLinear.ceil(x.elements(), 4L * THREADS), 1, SUMS);
    }
}
