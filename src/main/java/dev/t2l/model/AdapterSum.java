package dev.t2l.model;

import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;

/** Adapters to be added to weights one by one, as {@link MergedWeights} adds them to a whole model. */
record AdapterSum(List<LoraBatch.Entry> adapters) {

    boolean touches(Site site) {
        return adapters.stream().anyMatch(entry -> entry.adapter().pairs().containsKey(site));
    }

    /** @throws IllegalArgumentException naming what does not fit */
    void requireFits(DecoderConfig config) {
        adapters.forEach(entry -> config.requireFits(entry.adapter()));
    }

    /**
     * The weight itself if no adapter touches it, else an f32 sum.
     *
     * @param weight  host tensor [out, in]
     * @param headDim if not 0, its rows lie interleaved within each head
     */
    Tensor apply(Arena arena, Site site, Tensor weight, int headDim) {
        if (!touches(site)) {
            return weight;
        }
        Tensor sum = Tensor.allocate(arena, DType.F32, weight.shape());
        MergedWeights.add(sum, weight, site, adapters, headDim);
        return sum;
    }
}
