package dev.t2l;

import dev.t2l.io.PeftConfig;
import dev.t2l.io.PeftConfigs;
import dev.t2l.tensor.LoraWeights;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** A weighted sum of adapters, formed while the model runs: {@code y = x W^T + sum of weight_i * scale_i (x A_i^T) B_i^T}. */
public final class AdapterMix extends Adaptation {
    static final AdapterMix NONE = new AdapterMix(List.of());

    /** An adapter and its weight. */
    public record Part(Adapter adapter, float weight) {
        public Part {
            if (!Float.isFinite(weight)) {
                throw new IllegalArgumentException("the weight of an adapter must be finite, is " + weight);
            }
        }
    }

    private final List<Part> parts;

    AdapterMix(List<Part> parts) {
        this.parts = List.copyOf(parts);
    }

    /** A mix of any adapters, of any ranks and target modules. */
    public static AdapterMix of(Part... parts) {
        return new AdapterMix(List.of(parts));
    }

    /** {@code (1 - t) * a + t * b}. */
    public static AdapterMix between(Adapter a, Adapter b, float t) {
        return of(new Part(a, 1 - t), new Part(b, t));
    }

    /** All of them with the weight 1/n: what each adds to the base, averaged. */
    public static AdapterMix average(List<Adapter> adapters) {
        return new AdapterMix(adapters.stream().map(adapter -> new Part(adapter, 1f / adapters.size())).toList());
    }

    /**
     * One adapter that adds what this mix adds: the factors side by side, so its rank is the sum of the ranks, with weights and scales in B
     * (PEFT's {@code add_weighted_adapter} with {@code combination_type="cat"}).
     *
     * @throws IllegalStateException if this is a mix of nothing, or an adapter is closed
     */
    public Adapter concatenated() {
        return combined(CombinedFactors::concatenated);
    }

    /**
     * One adapter whose A is the weighted sum of all A, and B of all B. Of an {@link #average} that is the "element-wise averaged LoRA" that
     * Text-to-LoRA is compared with (arXiv 2506.06105, section 4). It keeps the rank, and adds something else than the mix: products of
     * one adapter's B and another's A are in it, too.
     *
     * @throws IllegalArgumentException if the adapters differ in rank, scale or where they act
     * @throws IllegalStateException if this is a mix of nothing, or an adapter is closed
     */
    public Adapter elementwise() {
        return combined(CombinedFactors::elementwise);
    }

    private Adapter combined(Function<List<CombinedFactors.Weighted>, LoraWeights> how) {
        if (parts.isEmpty()) {
            throw new IllegalStateException("no adapter to combine");
        }
        try (var _ = new Use(parts.stream().map(part -> part.adapter().gate()).toList()); Arena arena = Arena.ofShared()) {
            LoraWeights weights = how.apply(parts.stream().map(part -> new CombinedFactors.Weighted(part.adapter().onHost(arena), part.weight())).toList());
            List<PeftConfig> configs = parts.stream().map(part -> part.adapter().config()).toList();
            String base = configs.stream().map(PeftConfig::baseModel).distinct().count() == 1 ? configs.getFirst().baseModel() : null;
            PeftConfig config = PeftConfigs.describing(weights, base, configs.stream().allMatch(c -> c.scaling().rsLora()));
            return new Adapter(weights, config, Optional.empty(), Optional.empty(), () -> { });
        }
    }

    @Override
    public List<Part> parts() {
        return parts;
    }
}
