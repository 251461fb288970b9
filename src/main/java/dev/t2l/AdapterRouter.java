package dev.t2l;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Gate;
import dev.t2l.backend.Placement;
import dev.t2l.ops.ArrowPrototype;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * A library of adapters from which each token, at each layer and projection, chooses by itself: Arrow (Ostapenko et al. 2024,
 * arXiv 2405.11157). An adapter's prototype is the first right singular vector of its {@code B A}; of the {@code topK} adapters with the
 * largest {@code |prototype . x|}, x being the projection's input, the outputs are added with the softmax of these numbers as weights. As
 * in PEFT's ArrowConfig, x is taken as it is, each adapter keeps its own scale, and where adapters do not act they are not chosen.
 *
 * <p>Nothing is trained. Immutable and thread-safe. Prototypes are computed once, and are, with the adapters' matrices, in the memory of the
 * backend until this is closed, which lets running requests end. The adapters are the caller's and must stay open as long.
 */
public final class AdapterRouter extends Adaptation implements AutoCloseable {
    /** Adapters that a token chooses, unless told otherwise. */
    public static final int TOP_K = 3;

    private final List<AdapterMix.Part> library;
    private final List<LoraBatch.Entry> entries;
    private final Gate gate;
    private final Runnable release;

    private AdapterRouter(List<AdapterMix.Part> library, List<LoraBatch.Entry> entries, Gate gate, Runnable release) {
        this.library = library;
        this.entries = entries;
        this.gate = gate;
        this.release = release;
    }

    /** Of which each token chooses {@value #TOP_K}, with temperature 1. */
    public static AdapterRouter arrow(List<Adapter> adapters, Backend backend) {
        return arrow(adapters.stream().map(adapter -> new AdapterMix.Part(adapter, 1)).toList(), TOP_K, 1, backend);
    }

    /**
     * A library for a language model on this backend.
     *
     * @param library     adapters, and factors on the weights that they get when they are chosen
     * @param topK        so many are chosen, or all if there are fewer
     * @param temperature of the softmax
     * @throws IllegalArgumentException if there is no adapter, or topK or temperature is not positive
     */
    public static AdapterRouter arrow(List<AdapterMix.Part> library, int topK, float temperature, Backend backend) {
        if (library.isEmpty()) {
            throw new IllegalArgumentException("there is no adapter to choose");
        }
        var choice = new LoraBatch.Choice(topK, temperature);
        List<AdapterMix.Part> parts = List.copyOf(library);
        Placement placement = backend.placement();
        try (var _ = new Use(parts.stream().map(part -> part.adapter().gate()).toList())) {
            List<LoraBatch.Entry> entries = new ArrayList<>();
            for (AdapterMix.Part part : parts) {
                Map<LoraWeights.Site, Tensor> prototypes = new HashMap<>();
                prototypes(part.adapter()).forEach((site, prototype) -> prototypes.put(site, placement.place(prototype)));
                entries.add(new LoraBatch.Entry(part.adapter().weights().moved(placement::place), new LoraBatch.Routed(part.weight(), prototypes, choice)));
            }
            return new AdapterRouter(parts, List.copyOf(entries), new Gate("the adapter router"), placement::close);
        } catch (RuntimeException e) {
            placement.close();
            throw e;
        }
    }

    private static Map<LoraWeights.Site, Tensor> prototypes(Adapter adapter) {
        Map<LoraWeights.Site, Tensor> prototypes = new ConcurrentHashMap<>();
        try (Arena arena = Arena.ofShared()) {
            adapter.onHost(arena).pairs().entrySet().parallelStream().forEach(pair -> prototypes.put(pair.getKey(), ArrowPrototype.of(pair.getValue())));
        }
        return prototypes;
    }

    /** The adapters to choose from. */
    public List<AdapterMix.Part> library() {
        return library;
    }

    @Override
    List<AdapterMix.Part> parts() {
        return library;
    }

    /** The same choice, with all weights multiplied; it ends with this. */
    @Override
    public AdapterRouter scaled(float factor) {
        List<AdapterMix.Part> scaled = library.stream().map(part -> new AdapterMix.Part(part.adapter(), part.weight() * factor)).toList();
        List<LoraBatch.Entry> weighted = entries.stream().map(entry -> {
            var routed = (LoraBatch.Routed) entry.weight();
            return new LoraBatch.Entry(entry.adapter(), new LoraBatch.Routed(routed.factor() * factor, routed.prototypes(), routed.choice()));
        }).toList();
        return new AdapterRouter(scaled, weighted, gate, release);
    }

    @Override
    public List<LoraBatch.Entry> entries() {
        return entries;
    }

    @Override
    List<Gate> gates() {
        return Stream.concat(super.gates().stream(), Stream.of(gate)).toList();
    }

    @Override
    public void close() {
        gate.close(release);
    }
}
