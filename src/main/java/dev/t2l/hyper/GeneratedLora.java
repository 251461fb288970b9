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
 *
 * @param lora    the adapter: layer by layer, views of {@code factors}
 * @param factors per module {@code m}: {@code A.m} f32 [layers, r, in] and {@code B.m} f32 [layers, out, r]; closing them ends the adapter
 * @param all     the whole allocation, u8
 */
public record GeneratedLora(LoraWeights lora, Weights factors, Tensor all) implements AutoCloseable {

    /** An adapter of zeros to be filled in. */
    static GeneratedLora allocate(Backend backend, HyperConfig config) {
        return of(config, backend::allocate);
    }

    /** An adapter that is to be written whole before it is read. */
    static GeneratedLora unwritten(Backend backend, HyperConfig config) {
        return of(config, backend::allocateUnwritten);
    }

    private static GeneratedLora of(HyperConfig config, LongFunction<Memory> allocator) {
        TensorTable table = table(config);
        Memory memory = allocator.apply(table.bytes());
        Weights factors = table.carve(_ -> memory);
        Map<Site, Pair> pairs = new HashMap<>();
        for (Target t : config.targets()) {
            Tensor a = factors.get(name('A', t.projection()));
            Tensor b = factors.get(name('B', t.projection()));
            for (int l = 0; l < config.lora().layers(); l++) {
                pairs.put(new Site(l, t.projection()), new Pair(layer(a, l), layer(b, l), config.lora().scale()));
            }
        }
        return new GeneratedLora(new LoraWeights(pairs), factors, Tensor.of(DType.U8, memory.segment(), table.bytes()));
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
