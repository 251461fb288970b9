package dev.t2l.model;

import dev.t2l.io.FormatException;
import dev.t2l.io.GgufAdapter;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** GGUF LoRA files of a base model whose shape is known. */
public final class GgufAdapters {
    private GgufAdapters() {
    }

    /**
     * Reads an adapter.
     *
     * @throws FormatException if the file is broken, or made for another architecture
     * @throws IllegalArgumentException if it does not fit
     */
    public static LoraWeights read(Path file, DecoderConfig base) {
        GgufAdapter adapter = GgufAdapter.read(file, heads(base));
        String architecture = DecoderExport.architecture(base);
        if (!adapter.architecture().equals(architecture)) {
            throw new FormatException(file, "key 'general.architecture'", "the base is a " + architecture + ", the adapter was made for a " + adapter.architecture());
        }
        base.requireFits(adapter.weights());
        return scaledQueries(adapter.weights(), 1 / DecoderExport.queryFactor(base));
    }

    /**
     * Writes an adapter for the base as {@link GgufExport} writes it.
     *
     * @param name  of the adapter, for people
     * @param dtype of the matrices: F32, F16 or BF16
     * @throws IllegalArgumentException if it does not fit
     */
    public static void write(Path file, LoraWeights adapter, DecoderConfig base, String name, DType dtype) {
        base.requireFits(adapter);
        LoraWeights scaled = scaledQueries(adapter, DecoderExport.queryFactor(base));
        new GgufAdapter(DecoderExport.architecture(base), scaled).write(file, name, heads(base), dtype);
    }

    private static GgufAdapter.Heads heads(DecoderConfig base) {
        return new GgufAdapter.Heads(base.attention().spec().heads(), base.attention().spec().kvHeads());
    }

    private static LoraWeights scaledQueries(LoraWeights adapter, double factor) {
        if (factor == 1) {
            return adapter;
        }
        Map<Site, Pair> pairs = new LinkedHashMap<>(adapter.pairs());
        pairs.replaceAll((site, pair) -> site.projection() == Projection.Q ? new Pair(pair.a(), pair.b(), (float) (pair.scale() * factor)) : pair);
        return new LoraWeights(pairs);
    }
}
