package dev.t2l.backend;

import dev.t2l.tensor.Tensor;
import java.lang.ref.Reference;

/** The training kernels of {@code native/}, called as {@link CpuBackend} calls the others. */
final class CpuGradients implements Gradients {
    private final CpuBackend cpu;

    CpuGradients(CpuBackend cpu) {
        this.cpu = cpu;
    }

    private static long address(Tensor tensorOrNull) {
        return tensorOrNull == null ? 0 : tensorOrNull.address();
    }

    // Products

    @Override
    public void linearBackward(Tensor dx, Tensor dy, Tensor w, boolean add) {
        if (KernelTypes.code(w.dtype()) >= 0) {
            linearBackward(dx, dy, 0, w, add);
        } else {
            CpuBackend.unpacked(w, (from, tile) -> linearBackward(dx, dy, from, tile, add || from > 0));
        }
    }

    /** Columns {@code [from, from + w.rows())} of dy. */
    private void linearBackward(Tensor dx, Tensor dy, long from, Tensor w, boolean add) {
        int result;
        try {
            result = (int) CpuKernels.LINEAR_BACKWARD.invokeExact(cpu.engine(), dx.address(), dy.address() + 4 * from, dy.cols(), dy.rows(),
                    w.address(),
                    KernelTypes.code(w.dtype()), w.rows(), w.cols(), add ? 1 : 0);
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("linearBackward", result, dx, dy, w, null, null);
    }

    @Override
    public void linearGradient(Tensor dw, Tensor dbias, Tensor dy, Tensor x) {
        int result;
        try {
            result = (int) CpuKernels.LINEAR_GRADIENT.invokeExact(cpu.engine(), dw.address(), address(dbias), dy.address(), x.address(), x.rows(),
                    dy.cols(), x.cols());
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("linearGradient", result, dw, dbias, dy, x, null);
    }

    @Override
    public void loraBackward(Tensor dx, Tensor dy, Tensor x, LoraGradients lora) {
        int result;
        try {
            result = (int) CpuKernels.LORA_BACKWARD.invokeExact(cpu.engine(), dx.address(), dy.address(), x.address(), x.rows(), x.cols(), dy.cols(),
                    lora.table().address(),
                    lora.spans().address(), (long) lora.factors().size(), (long) lora.headDim());
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("loraBackward", result, dx, dy, x, lora.spans(), lora.table());
        Reference.reachabilityFence(lora);
    }

    @Override
    public void loraFactorBackward(Tensor dy, Tensor dout, LoraFactor source, Tensor scale) {
        boolean transposed = source.transposed();
        int result;
        try {
            result = (int) CpuKernels.LORA_FACTOR_BACKWARD.invokeExact(cpu.engine(), dy.address() + 4 * source.start(), dout.address(), dout.dim(0),
                    dout.dim(transposed ? 2 : 1), dout.dim(transposed ? 1 : 2), source.layerStride(), source.rankStride(), transposed ? 1 : 0, address(scale));
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("loraFactorBackward", result, dy, dout, scale, null, null);
    }

    // Element-wise

    @Override
    public void activationBackward(Tensor dx, Tensor dy, Tensor x, Activation f) {
        int result;
        try {
            result = (int) CpuKernels.ACTIVATION_BACKWARD.invokeExact(cpu.engine(), dx.address(), dy.address(), x.address(), x.elements(),
                    f.ordinal());
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("activationBackward", result, dx, dy, x, null, null);
    }

    @Override
    public void gatedBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up, Activation f) {
        int result;
        try {
            result = (int) CpuKernels.GATED_BACKWARD.invokeExact(cpu.engine(), dgate.address(), dup.address(), dy.address(), gate.address(),
                    up.address(), gate.elements(), f.ordinal());
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("gatedBackward", result, dgate, dup, dy, gate, up);
    }

    @Override
    public void softcapBackward(Tensor dy, Tensor y, float cap) {
        int result;
        try {
            result = (int) CpuKernels.SOFTCAP_BACKWARD.invokeExact(cpu.engine(), dy.address(), y.address(), y.elements(), cap);
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("softcapBackward", result, dy, y, null, null, null);
    }

    @Override
    public void fill(Tensor x, float value) {
        int result;
        try {
            result = (int) CpuKernels.FILL.invokeExact(cpu.engine(), x.address(), x.elements(), value);
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("fill", result, x, null, null, null, null);
    }

    @Override
    public void convert(Tensor out, Tensor x) {
        int result;
        try {
            result = (int) CpuKernels.CONVERT.invokeExact(cpu.engine(), out.address(), KernelTypes.code(out.dtype()), x.address(),
                    KernelTypes.code(x.dtype()), x.elements());
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("convert", result, out, x, null, null, null);
    }

    @Override
    public void dropout(Tensor out, Tensor x, float p, long seed) {
        int result;
        try {
            result = (int) CpuKernels.DROPOUT.invokeExact(cpu.engine(), out.address(), x.address(), x.elements(), Noise.threshold(p), 1 / (1 - p),
                    seed);
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("dropout", result, out, x, null, null, null);
    }

    @Override
    public void addNoise(Tensor x, Tensor magnitude, long seed) {
        int result;
        try {
            result = (int) CpuKernels.ADD_NOISE.invokeExact(cpu.engine(), x.address(), x.rows(), x.cols(), magnitude.address(), seed);
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("addNoise", result, x, magnitude, null, null, null);
    }

    // Rows

    @Override
    public void scatterAdd(Tensor dtable, Tensor dy, long column, Tensor ids, float scale) {
        int result;
        try {
            result = (int) CpuKernels.SCATTER_ADD.invokeExact(cpu.engine(), dtable.address(), dtable.rows(), dtable.cols(), dy.address(), dy.cols(),
                    column, ids.address(),
                    ids.elements(), scale);
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("scatterAdd", result, dtable, dy, ids, null, null);
    }

    // Norms

    @Override
    public void rmsNormBackward(Tensor dx, Tensor dy, Tensor x, Norm norm, boolean add) {
        Tensor w = CpuBackend.plain(norm.weight());
        int result;
        try {
            result = (int) CpuKernels.RMS_NORM_BACKWARD.invokeExact(cpu.engine(), dx.address(), dy.address(), x.address(), x.rows(), x.cols(),
                    w.address(),
                    KernelTypes.code(w.dtype()), norm.eps(), norm.weightOffset(), add ? 1 : 0);
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("rmsNormBackward", result, dx, dy, x, w, null);
    }

    @Override
    public void layerNormBackward(Tensor dx, Tensor dweight, Tensor dbias, Tensor dy, Tensor x, Tensor weight, float eps, boolean add) {
        Tensor w = CpuBackend.plain(weight);
        int result;
        try {
            result = (int) CpuKernels.LAYER_NORM_BACKWARD.invokeExact(cpu.engine(), dx.address(), address(dweight), address(dbias), dy.address(),
                    x.address(), x.rows(), x.cols(),
                    w.address(), KernelTypes.code(w.dtype()), eps, add ? 1 : 0);
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("layerNormBackward", result, dx, dweight, dbias, dy, x);
        CpuBackend.finish("layerNormBackward", result, w, null, null, null, null);
    }

    // Attention

    @Override
    public void attentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dout, Tensor out, Tensor q, Tensor k, Tensor v, AttentionRows rows,
            AttentionSpec spec) {
        int result;
        try {
            result = (int) CpuKernels.ATTENTION_BACKWARD.invokeExact(cpu.engine(), dq.address(), dk.address(), dv.address(), dout.address(),
                    out.address(), q.address(),
                    k.address(), v.address(), q.rows(), rows.ranges().address(), rows.seen().address(), (long) spec.heads(), (long) spec.kvHeads(),
                    (long) spec.headDim(), (long) spec.window(), spec.scale(), spec.softcap());
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("attentionBackward", result, dq, dk, dv, dout, out);
        CpuBackend.finish("attentionBackward", result, q, k, v, rows.ranges(), rows.seen());
    }

    // Losses

    @Override
    public void crossEntropy(Tensor loss, Tensor logits, Tensor labels, Tensor weight, float smoothing) {
        int result;
        try {
            result = (int) CpuKernels.CROSS_ENTROPY.invokeExact(cpu.engine(), loss.address(), logits.address(), logits.rows(), logits.cols(),
                    labels.address(), weight.address(), smoothing);
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("crossEntropy", result, loss, logits, labels, weight, null);
    }

    @Override
    public void distance(Tensor loss, Tensor dx, Tensor x, Tensor target, float weight, boolean squared) {
        int result;
        try {
            result = (int) CpuKernels.DISTANCE.invokeExact(cpu.engine(), loss.address(), dx.address(), x.address(), target.address(), x.elements(),
                    weight, squared ? 1 : 0);
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("distance", result, loss, dx, x, target, null);
    }

    @Override
    public void sumSquares(Tensor out, long at, Tensor x) {
        int result;
        try {
            result = (int) CpuKernels.SUM_SQUARES.invokeExact(cpu.engine(), out.address() + 4 * at, x.address(), x.elements());
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("sumSquares", result, out, x, null, null, null);
    }

    // Optimiser

    @Override
    public void adamW(Tensor w, Tensor g, Tensor m, Tensor v, AdamW step) {
        int result;
        try {
            result = (int) CpuKernels.ADAM_W.invokeExact(cpu.engine(), w.address(), g.address(), m.address(), v.address(), w.elements(), step.rate(),
                    step.beta1(),
                    step.beta2(), step.eps(), step.weightDecay(), step.step(), step.gradScale());
        } catch (Throwable t) {
            throw CpuBackend.unexpected(t);
        }
        CpuBackend.finish("adamW", result, w, g, m, v, null);
    }
}
