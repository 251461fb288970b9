package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.ops.LoraBatch;
import dev.t2l.ops.LoraMerge;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** A decoder's weights with adapters added: f32 copies of the adapted ones, in one allocation, all others borrowed. */
public record MergedWeights(DecoderWeights weights, Weights copies) implements AutoCloseable {

    /**
     * Adds {@code weight * scale * B A} of every adapter to copies of the weights it acts on (see {@link LoraMerge}).
     *
     * @param adapters that fit the decoder, with weights that are the same for all rows
     */
    public static MergedWeights of(Decoder decoder, List<LoraBatch.Entry> adapters) {
        var sites = new TreeSet<LoraWeights.Site>();
        adapters.forEach(entry -> sites.addAll(entry.adapter().pairs().keySet()));
        if (sites.isEmpty()) {
            throw new IllegalArgumentException("nothing to merge: no adapter given");
        }
        DecoderConfig config = decoder.config();
        var table = new TensorTable();
        for (LoraWeights.Site site : sites) {
            table.add(site.toString(), DType.F32, config.out(site.projection()), config.in(site.projection()));
        }
        Weights copies = table.carve(decoder.backend()::allocate);
        try (Arena arena = Arena.ofShared()) {
            Backend backend = decoder.backend();
            List<LoraBatch.Entry> here = adapters.stream()
                    .map(entry -> new LoraBatch.Entry(entry.adapter().moved(matrix -> backend.host(arena, matrix)), entry.weight())).toList();
            List<DecoderWeights.Layer> layers = new ArrayList<>(decoder.weights().layers());
            for (LoraWeights.Site site : sites) {
                Affine dense = layers.get(site.layer()).at(site.projection());
                Tensor merged = copies.get(site.toString());
                merge(backend, merged, dense.weight(), site, here, decoder.interleavedHeadDim(site.projection()));
                layers.set(site.layer(), with(layers.get(site.layer()), site.projection(), new Affine(merged, dense.bias())));
            }
            DecoderWeights base = decoder.weights();
            return new MergedWeights(new DecoderWeights(base.embedding(), List.copyOf(layers), base.finalNorm(), base.output(), base.invFreq()), copies);
        } catch (RuntimeException e) {
            copies.close();
            throw e;
        }
    }

    /** {@link #add} on the host, wherever out and weight are. */
    private static void merge(Backend backend, Tensor out, Tensor weight, LoraWeights.Site site, List<LoraBatch.Entry> adapters, int headDim) {
        if (out.onHost()) {
            add(out, weight, site, adapters, headDim);
            return;
        }
        try (Arena arena = Arena.ofShared()) {
            Tensor sum = Tensor.allocate(arena, DType.F32, out.shape());
            add(sum, backend.host(arena, weight), site, adapters, headDim);
            backend.upload(out, sum.data());
        }
    }

    /**
     * {@code out = weight + all products of the adapters at a site}, in the order of the list.
     *
     * @param out     f32 [out, in], host
     * @param headDim see {@link LoraMerge#forward}
     */
    static void add(Tensor out, Tensor weight, LoraWeights.Site site, List<LoraBatch.Entry> adapters, int headDim) {
        Tensor from = weight;
        for (LoraBatch.Entry entry : adapters) {
            LoraWeights.Pair pair = entry.adapter().pairs().get(site);
            if (pair != null) {
                LoraMerge.forward(out, from, pair, entry.weight().at(0, site.layer(), site.projection()), headDim);
                from = out;
            }
        }
    }

    private static DecoderWeights.Layer with(DecoderWeights.Layer layer, Projection projection, Affine dense) {
        Map<Projection, Affine> projections = new EnumMap<>(layer.projections());
        projections.put(projection, dense);
        return new DecoderWeights.Layer(projections, layer.attentionNorm(), layer.queryNorm(), layer.keyNorm(), layer.attentionPostNorm(),
                layer.mlpNorm(), layer.mlpPostNorm());
    }

    @Override
    public void close() {
        copies.close();
    }
}
