package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A device's backend for tests that hand it host tensors: each kernel gets copies of them on the device, and what it wrote is copied
 * back. Views of one tensor must not overlap unless they are the same view.
 */
public final class HostTensors extends HostBackend {
    private final Backend device;
    private final boolean recording;

    private HostTensors(Backend device) {
        this(device, false);
    }

    private HostTensors(Backend device, boolean recording) {
        this.device = device;
        this.recording = recording;
    }

    /** The same whose {@link #hyperBody} and {@link #encoderLayers} are recorded and replayed. */
    static Backend recorded(Backend device) {
        return new HostTensors(device, true);
    }

    /** The backend of this name, for host tensors. */
    public static Backend open(String name) {
        return of(Backend.open(name));
    }

    /** The same backend, for host tensors; itself if it works on the host. */
    static Backend of(Backend backend) {
        return backend instanceof HostBackend ? backend : new HostTensors(backend);
    }

    /** The tensors of one call. */
    private final class Call implements AutoCloseable {
        private final Placement placement = device.placement();
        private final Map<Long, Tensor> placed = new LinkedHashMap<>();
        private final List<Memory> memories = new ArrayList<>();
        private final List<Runnable> results = new ArrayList<>();

        Tensor in(Tensor host) {
            return host == null ? null : placed.computeIfAbsent(host.address(), a -> placement.place(host));
        }

        /** Also for what is read and written. */
        Tensor out(Tensor host) {
            Tensor there = placed.computeIfAbsent(host.address(), a -> {
                Memory memory = device.allocate(host.bytes());
                memories.add(memory);
                Tensor fresh = Tensor.of(host.dtype(), memory.segment(), host.shape());
                device.upload(fresh, host.data());
                return fresh;
            });
            results.add(() -> device.download(host.data(), there));
            return there;
        }

        LoraRows in(LoraRows rows) {
            if (rows == null) {
                return null;
            }
            var factors = rows.factors().stream().map(f -> new LoraRows.Factor(in(f.a()), in(f.b()), f.rank(), f.scale())).toList();
            return new LoraRows(factors, out(KernelData.table(factors)), in(rows.slots()), in(rows.weights()), rows.headDim());
        }

        Norm in(Norm norm) {
            return norm == null ? null : new Norm(in(norm.weight()), norm.eps(), norm.weightOffset());
        }

        Product of(Product p) {
            return new Product(out(p.y()), in(p.w()), in(p.bias()), in(p.lora()));
        }

        AffineNorm in(AffineNorm norm) {
            return norm == null ? null : new AffineNorm(in(norm.weight()), in(norm.bias()), norm.eps());
        }

        EncoderLayer of(EncoderLayer l) {
            return new EncoderLayer(of(l.query()), of(l.key()), of(l.value()), of(l.output()), in(l.attentionNorm()), l.gate() == null ? null : of(l.gate()),
                    of(l.up()), of(l.down()), in(l.norm()));
        }

        FeedForward of(FeedForward block) {
            return new FeedForward(in(block.norm()), block.normed() == null ? null : out(block.normed()), of(block.up()), of(block.down()), block.residual());
        }

        TaskEncoder of(TaskEncoder task) {
            return task == null ? null
                    : new TaskEncoder(in(task.embeddings()), of(task.linear()), in(task.norm()), out(task.normed()), in(task.taskOfRow()));
        }

        /** An argument of any kind; what its tensors hold afterwards is copied back, but for types that only weights have. */
        Object any(Object argument) {
            return switch (argument) {
                case Tensor t when t.dtype().quantised() || t.dtype() == DType.F64 -> in(t);
                case Tensor t -> out(t);
                case Norm norm -> new Norm((Tensor) any(norm.weight()), norm.eps(), norm.weightOffset());
                case Gradients.AttentionRows rows -> new Gradients.AttentionRows(out(rows.ranges()), out(rows.seen()));
                case LoraGradients lora -> {
                    List<LoraRows.Factor> factors = out(lora.factors());
                    List<LoraRows.Factor> gradients = out(lora.gradients());
                    Tensor table = KernelData.table(Stream.concat(factors.stream(), gradients.stream()).toList());
                    yield new LoraGradients(factors, gradients, out(lora.spans()), out(table), lora.rows(), lora.headDim());
                }
                case LoraSpans spans -> {
                    var gradients = (LoraGradients) any(spans.gradients());
                    yield new LoraSpans(in(spans.rows()), gradients, spans.dropout(), spans.seed());
                }
                case Product product -> of(product);
                case List<?> all -> all.stream().map(this::any).toList();
                case null, default -> argument;
            };
        }

        private List<LoraRows.Factor> out(List<LoraRows.Factor> factors) {
            return factors.stream().map(f -> new LoraRows.Factor(out(f.a()), out(f.b()), f.rank(), f.scale())).toList();
        }

        Head of(Head head) {
            var cuts = head.cuts().stream().map(cut -> new Head.Cut(out(cut.out()), cut.source(), in(cut.scale()), in(cut.shift()))).toList();
            return new Head(in(head.z()), in(head.w()), in(head.bias()), cuts);
        }

        /** Copies the results back, and frees everything. */
        @Override
        public void close() {
            try {
                results.forEach(Runnable::run);
            } finally {
                memories.forEach(Memory::close);
                placement.close();
            }
        }
    }

    @Override
    public String name() {
        return device.name();
    }

    @Override
    public String description() {
        return device.description();
    }

    @Override
    public Backend decoding() {
        return new HostTensors(device.decoding());
    }

    @Override
    public Backend prefilling() {
        return new HostTensors(device.prefilling());
    }

    @Override
    public void close() {
        device.close();
    }

    @Override
    public void gather(Tensor out, long column, Tensor table, Tensor ids, float scale) {
        try (Call c = new Call()) {
            device.gather(c.out(out), column, c.in(table), c.in(ids), scale);
        }
    }

    @Override
    public void scatter(Tensor out, Tensor x, Tensor index) {
        try (Call c = new Call()) {
            device.scatter(c.out(out), c.in(x), c.in(index));
        }
    }

    @Override
    public void meanRows(Tensor out, Tensor x, Tensor ranges) {
        try (Call c = new Call()) {
            device.meanRows(c.out(out), c.in(x), c.in(ranges));
        }
    }

    @Override
    public void add(Tensor y, Tensor x, float alpha) {
        try (Call c = new Call()) {
            device.add(c.out(y), c.in(x), alpha);
        }
    }

    @Override
    public void activation(Tensor out, Tensor x, Activation f) {
        try (Call c = new Call()) {
            device.activation(c.out(out), c.in(x), f);
        }
    }

    @Override
    public void gated(Tensor out, Tensor gate, Tensor up, Activation f) {
        try (Call c = new Call()) {
            device.gated(c.out(out), c.in(gate), c.in(up), f);
        }
    }

    @Override
    public void softcap(Tensor x, float cap) {
        try (Call c = new Call()) {
            device.softcap(c.out(x), cap);
        }
    }

    @Override
    public void rmsNorm(Tensor out, Tensor x, Tensor weight, float eps, float weightOffset) {
        try (Call c = new Call()) {
            device.rmsNorm(c.out(out), c.in(x), c.in(weight), eps, weightOffset);
        }
    }

    @Override
    public void layerNorm(Tensor out, Tensor x, Tensor weight, Tensor bias, float eps) {
        try (Call c = new Call()) {
            device.layerNorm(c.out(out), c.in(x), c.in(weight), c.in(bias), eps);
        }
    }

    @Override
    public void addLayerNorm(Tensor x, Tensor branch, Tensor weight, Tensor bias, float eps) {
        try (Call c = new Call()) {
            device.addLayerNorm(c.out(x), c.in(branch), c.in(weight), c.in(bias), eps);
        }
    }

    @Override
    public void l2Normalise(Tensor x, float scale) {
        try (Call c = new Call()) {
            device.l2Normalise(c.out(x), scale);
        }
    }

    @Override
    public void linear(Tensor y, Tensor x, Tensor w, Tensor bias) {
        try (Call c = new Call()) {
            device.linear(c.out(y), c.in(x), c.in(w), c.in(bias));
        }
    }

    @Override
    public void lora(Tensor y, Tensor x, LoraRows rows) {
        try (Call c = new Call()) {
            device.lora(c.out(y), c.in(x), c.in(rows));
        }
    }

    @Override
    public void route(Tensor x, LoraRows rows) {
        try (Call c = new Call()) {
            LoraRows.Routing routing = rows.routing();
            List<Tensor> prototypes = routing.prototypes().stream().map(c::in).toList();
            var there = new LoraRows.Routing(prototypes, c.out(KernelData.pointers(prototypes)), c.in(routing.given()), c.in(routing.choices()));
            device.route(c.in(x), new LoraRows(rows.factors(), rows.table(), c.in(rows.slots()), c.out(rows.weights()), rows.headDim(), there));
        }
    }

    @Override
    public void loraLinear(Tensor y, Tensor x, Tensor w, Tensor bias, LoraRows rows) {
        try (Call c = new Call()) {
            device.loraLinear(c.out(y), c.in(x), c.in(w), c.in(bias), c.in(rows));
        }
    }

    @Override
    public void products(Tensor x, List<Product> products) {
        try (Call c = new Call()) {
            device.products(c.in(x), products.stream().map(c::of).toList());
        }
    }

    @Override
    public void normedProducts(Tensor h, Tensor x, Norm norm, List<Product> products) {
        try (Call c = new Call()) {
            device.normedProducts(c.out(h), c.in(x), c.in(norm), products.stream().map(c::of).toList());
        }
    }

    @Override
    public void gatedProduct(Tensor h, Tensor x, Norm norm, Product gate, Product up, Activation f) {
        try (Call c = new Call()) {
            device.gatedProduct(h == null ? null : c.out(h), c.in(x), c.in(norm), c.of(gate), c.of(up), f);
        }
    }

    @Override
    public void addProduct(Tensor x, Tensor in, Product product) {
        try (Call c = new Call()) {
            device.addProduct(c.out(x), c.in(in), c.of(product));
        }
    }

    @Override
    public void activatedLinear(Tensor y, Tensor x, Tensor w, Tensor bias, Activation f, Tensor residual) {
        try (Call c = new Call()) {
            device.activatedLinear(c.out(y), c.in(x), c.in(w), c.in(bias), f, c.in(residual));
        }
    }

    @Override
    public void gatedMlp(Tensor h, Tensor x, Norm norm, Product gate, Product up, Product down, Activation f) {
        try (Call c = new Call()) {
            device.gatedMlp(c.out(h), c.out(x), c.in(norm), c.of(gate), c.of(up), c.of(down), f);
        }
    }

    @Override
    public void hyperBody(Tensor x, TaskEncoder task, List<FeedForward> blocks) {
        try (Call c = new Call()) {
            Tensor there = c.out(x);
            TaskEncoder encoder = c.of(task);
            List<FeedForward> all = blocks.stream().map(c::of).toList();
            run(there, () -> device.hyperBody(there, encoder, all));
        }
    }

    @Override
    public void encoderLayers(Tensor x, List<EncoderLayer> layers, EncoderRows rows) {
        try (Call c = new Call()) {
            Tensor there = c.out(x);
            List<EncoderLayer> all = layers.stream().map(c::of).toList();
            var common = new EncoderRows(c.out(rows.context()), c.in(rows.angles()), c.in(rows.ranges()), rows.heads(), rows.f());
            run(there, () -> device.encoderLayers(there, all, common));
        }
    }

    /** Work that changes x; if it is recorded, as often as it takes to be replayed twice, of the same x. */
    private void run(Tensor x, Runnable work) {
        if (!recording) {
            work.run();
            return;
        }
        try (Memory memory = device.allocate(x.bytes()); Recording recorded = device.record(work)) {
            Tensor before = Tensor.of(x.dtype(), memory.segment(), x.shape());
            device.copy(before, x);
            for (int i = 0; i < 4; i++) {
                device.copy(x, before);
                recorded.run();
            }
            device.await();
        }
    }

    @Override
    public void loraFactor(Tensor out, Tensor y, LoraFactor source, Tensor scale, Tensor shift) {
        try (Call c = new Call()) {
            device.loraFactor(c.out(out), c.in(y), source, c.in(scale), c.in(shift));
        }
    }

    @Override
    public void heads(List<Head> heads, Tensor scratch) {
        try (Call c = new Call()) {
            device.heads(heads.stream().map(c::of).toList(), c.out(scratch));
        }
    }

    @Override
    public void ropeAngles(Tensor out, Tensor positions, Tensor invFreq, float factor) {
        try (Call c = new Call()) {
            device.ropeAngles(c.out(out), c.in(positions), c.in(invFreq), factor);
        }
    }

    @Override
    public void rope(Tensor x, Tensor angles, boolean interleaved) {
        try (Call c = new Call()) {
            device.rope(c.out(x), c.in(angles), interleaved);
        }
    }

    @Override
    public void ropeStore(Tensor q, Tensor k, Tensor v, Tensor angles, boolean interleaved, Tensor keys, Tensor values, Tensor index) {
        try (Call c = new Call()) {
            device.ropeStore(c.out(q), c.out(k), c.in(v), c.in(angles), interleaved, c.out(keys), c.out(values), c.in(index));
        }
    }

    @Override
    public void attention(Tensor out, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec) {
        try (Call c = new Call()) {
            device.attention(c.out(out), c.in(q), c.in(k), c.in(v), c.in(ranges), spec);
        }
    }

    @Override
    public void sample(Tensor tokens, Tensor logits, Tensor choices) {
        try (Call c = new Call()) {
            device.sample(c.out(tokens), c.in(logits), c.in(choices));
        }
    }

    @Override
    public Gradients gradients() {
        return kernels(Gradients.class, device.gradients());
    }

    @Override
    public Mixed mixed() {
        return kernels(Mixed.class, device.mixed());
    }

    private <K> K kernels(Class<K> type, K there) {
        InvocationHandler kernel = (proxy, method, arguments) -> {
            try (Call c = new Call()) {
                return method.invoke(there, Arrays.stream(arguments).map(c::any).toArray());
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        };
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, kernel));
    }
}
