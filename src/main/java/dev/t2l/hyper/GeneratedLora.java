package dev.t2l.hyper;

import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongFunction;

/**
 * One generated adapter, in the backend's memory, and the owner of that memory: one allocation, in which a module's matrices of
 * all layers lie together.
 */
public final class GeneratedLora implements AutoCloseable {
    private final HyperConfig config;
    private final Weights factors;
    private final Tensor all;
    private LoraWeights lora; // made when first wanted: while a device still computes what it shows

    private GeneratedLora(HyperConfig config, TensorTable table, LongFunction<Memory> allocator) {
        Memory memory = allocator.apply(table.bytes());
        this.config = config;
        this.factors = table.carve(_ -> memory);
        this.all = Tensor.of(DType.U8, memory.segment(), table.bytes());
    }

    /** An adapter of zeros to be filled in. */
    static GeneratedLora allocate(Backend backend, HyperConfig config) {
        return new GeneratedLora(config, table(config), backend::allocate);
    }

    /** An adapter that is to be written whole before it is read, laid out as {@link #table} says. */
    static GeneratedLora unwritten(Backend backend, HyperConfig config, TensorTable table) {
        return new GeneratedLora(config, table, backend::allocateUnwritten);
    }

    /** The adapter: layer by layer, views of {@link #factors}. */
    public synchronized LoraWeights lora() {
        if (lora == null) {
            Map<Site, Pair> pairs = new HashMap<>();
            for (Target t : config.targets()) {
                for (int l = 0; l < config.lora().layers(); l++) {
                    pairs.put(new Site(l, t.projection()), new Pair(layer(a(t.projection()), l), layer(b(t.projection()), l), config.lora().scale()));
                }
            }
            lora = new LoraWeights(pairs);
        }
        return lora;
    }

    /** Per module {@code m}: {@code A.m} f32 [layers, r, in] and {@code B.m} f32 [layers, out, r]; closing them ends the adapter. */
    public Weights factors() {
        return factors;
    }

    /** The whole allocation, u8; what lies between the factors is undefined. */
    public Tensor all() {
        return all;
    }

    /** What an adapter's allocation holds. */
    static TensorTable table(HyperConfig config) {
        long layers = config.lora().layers();
        long r = config.lora().rank();
        var table = new TensorTable();
        for (Target t : config.targets()) {
            table.add(name('A', t.projection()), DType.F32, layers, r, t.in());
            table.add(name('B', t.projection()), DType.F32, layers, t.out(), r);
        }
        return table;
    }

    private static Tensor layer(Tensor all, int layer) {
        return all.slice(layer, layer + 1).reshape(all.dim(1), all.dim(2));
    }

    private static String name(char factor, Projection module) {
        return factor + "." + module.peftName();
    }

    /** f32 [layers, r, in]. */
    public Tensor a(Projection module) {
        return factors.get(name('A', module));
    }

    /** f32 [layers, out, r]. */
    public Tensor b(Projection module) {
        return factors.get(name('B', module));
    }

    /** Frees the memory; harmless when called twice. */
    @Override
    public void close() {
        factors.close();
    }
}
