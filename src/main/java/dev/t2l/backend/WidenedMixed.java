package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** {@link Mixed} by a backend's own kernels, on f32 copies of what is BF16: taken for each call, and freed. F32 tensors are used as they lie. */
class WidenedMixed implements Mixed {
    private final Backend backend;

    WidenedMixed(Backend backend) {
        this.backend = backend;
    }

    /** The f32 tensors of one call. */
    private final class Copies implements AutoCloseable {
        private final List<Memory> memories = new ArrayList<>();
        private final List<Runnable> results = new ArrayList<>();

        Tensor room(long... shape) {
            Memory memory = backend.allocate(Math.max(1, 4 * Tensor.elements(shape)));
            memories.add(memory);
            return Tensor.of(DType.F32, memory.segment(), shape);
        }

        Tensor in(Tensor t) {
            if (t.dtype() == DType.F32) {
                return t;
            }
            Tensor wide = room(t.shape());
            backend.gradients().convert(wide, t);
            return wide;
        }

        /** What is rounded to t at the end. */
        Tensor out(Tensor t) {
            return t.dtype() == DType.F32 ? t : rounded(t, room(t.shape()));
        }

        /** What is read and written. */
        Tensor both(Tensor t) {
            return t.dtype() == DType.F32 ? t : rounded(t, in(t));
        }

        private Tensor rounded(Tensor t, Tensor wide) {
            results.add(() -> backend.gradients().convert(t, wide));
            return wide;
        }

        /** What adapters read. */
        Tensor dropped(Tensor x, LoraSpans spans) {
            if (spans.dropout() == 0) {
                return in(x);
            }
            Tensor to = room(x.shape());
            backend.gradients().dropout(to, in(x), spans.dropout(), spans.seed());
            return to;
        }

        @Override
        public void close() {
            try {
                results.forEach(Runnable::run);
            } finally {
                memories.forEach(Memory::close);
            }
        }
    }

    // Products

    @Override
    public void products(Tensor x, List<Product> products) {
        try (Copies c = new Copies()) {
            backend.products(c.in(x), products.stream().map(p -> new Product(c.out(p.y()), p.w(), p.bias(), null)).toList());
        }
    }

    @Override
    public void addProduct(Tensor x, Tensor in, Product product) {
        try (Copies c = new Copies()) {
            backend.addProduct(c.both(x), c.in(in), new Product(product.y(), product.w(), product.bias(), null));
        }
    }

    @Override
    public void linearBackward(Tensor dx, Tensor dy, Tensor w, boolean add) {
        try (Copies c = new Copies()) {
            backend.gradients().linearBackward(add ? c.both(dx) : c.out(dx), c.in(dy), w, add);
        }
    }

    @Override
    public void lora(Tensor y, Tensor x, LoraSpans spans) {
        try (Copies c = new Copies()) {
            backend.lora(c.both(y), c.dropped(x, spans), spans.rows());
        }
    }

    @Override
    public void loraBackward(Tensor dx, Tensor dy, Tensor x, LoraSpans spans) {
        try (Copies c = new Copies()) {
            Tensor own = c.room(x.shape());
            backend.gradients().loraBackward(own, c.in(dy), c.dropped(x, spans), spans.gradients());
            if (dx != null) {
                if (spans.dropout() > 0) {
                    backend.gradients().dropout(own, own, spans.dropout(), spans.seed());
                }
                backend.add(c.both(dx), own, 1);
            }
        }
    }

    // Element-wise

    @Override
    public void gated(Tensor out, Tensor gate, Tensor up, Activation f) {
        try (Copies c = new Copies()) {
            backend.gated(c.out(out), c.in(gate), c.in(up), f);
        }
    }

    @Override
    public void gatedBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up, Activation f) {
        try (Copies c = new Copies()) {
            backend.gradients().gatedBackward(c.out(dgate), c.out(dup), c.in(dy), c.in(gate), c.in(up), f);
        }
    }

    // Norms

    @Override
    public void rmsNorm(Tensor out, Tensor copy, Tensor x, Norm norm) {
        if (copy != null) {
            backend.gradients().convert(copy, x);
        }
        try (Copies c = new Copies()) {
            backend.rmsNorm(c.out(out), c.in(x), norm.weight(), norm.eps(), norm.weightOffset());
        }
    }

    @Override
    public void rmsNormBackward(Tensor dx, Tensor copy, Tensor dy, Tensor x, Norm norm, boolean add) {
        try (Copies c = new Copies()) {
            Tensor wide = add ? c.both(dx) : c.out(dx);
            backend.gradients().rmsNormBackward(wide, c.in(dy), c.in(x), norm, add);
            if (copy != null) {
                backend.gradients().convert(copy, wide);
            }
        }
    }

    // Attention

    @Override
    public void rope(Tensor x, Tensor angles, boolean interleaved) {
        try (Copies c = new Copies()) {
            backend.rope(c.both(x), angles, interleaved);
        }
    }

    @Override
    public void attention(Tensor out, Tensor logSums, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec) {
        try (Copies c = new Copies()) {
            backend.attention(c.out(out), c.in(q), c.in(k), c.in(v), ranges, spec);
        }
    }

    @Override
    public void attentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dout, Tensor out, Tensor logSums, Tensor q, Tensor k, Tensor v,
            Gradients.AttentionRows rows, AttentionSpec spec) {
        try (Copies c = new Copies()) {
            backend.gradients().attentionBackward(c.out(dq), c.out(dk), c.out(dv), c.in(dout), c.in(out), c.in(q), c.in(k), c.in(v), rows, spec);
        }
    }
}
