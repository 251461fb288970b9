package dev.t2l.model;

import dev.t2l.backend.Activation;
import dev.t2l.backend.Backend;
import dev.t2l.io.FormatException;
import dev.t2l.io.GgufWriter;
import dev.t2l.model.GgufModel.Part;
import dev.t2l.model.GgufModel.Use;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.HeadRows;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.text.GgufVocabularyExport;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A decoder's Hugging Face folder as GGUF: keys, names and layouts as {@link GgufDecoder} reads them and llama.cpp's converter writes
 * them. What those files cannot say (other windows, activations or soft-caps than the architecture's own) is refused.
 */
final class DecoderExport {
    private static final System.Logger LOG = System.getLogger("dev.t2l.model");
    private static final double SAME = 1e-6;

    private final Path json;
    private final DecoderConfig config;
    private final String architecture;
    private final AdapterSum sum;
    private final double queryFactor;
    private final List<Part> parts = new ArrayList<>();
    private final Map<String, Object> metadata = new LinkedHashMap<>();

    private DecoderExport(Path folder, DecoderConfig config, AdapterSum sum) {
        this.json = folder.resolve("config.json");
        this.config = config;
        this.architecture = architecture(config);
        this.sum = sum;
        this.queryFactor = queryFactor(config);
    }

    /** The name that GGUF has for a decoder's architecture: Mistral is a {@code llama}. */
    static String architecture(DecoderConfig config) {
        return config.architecture().equals("mistral") ? "llama" : config.architecture();
    }

    /** By what the rows of q must be multiplied where attention scores are scaled otherwise than GGUF's readers do; mostly 1. */
    static double queryFactor(DecoderConfig config) {
        var spec = config.attention().spec();
        double factor = spec.scale() / GgufDecoder.scale(architecture(config), config.layers(), config.hidden() / spec.heads(), spec.headDim());
        return Math.abs(factor - 1) < SAME ? 1 : factor;
    }

    static GgufModel open(Path folder, AdapterSum sum) {
        DecoderFile file = DecoderFile.open(folder, Backend.open("java"));
        try {
            sum.requireFits(file.config());
            var export = new DecoderExport(folder, file.config(), sum);
            export.describe(folder);
            export.tensors(file.weights());
            return new GgufModel(export.metadata, export.parts, file::close);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private void describe(Path folder) {
        var spec = config.attention().spec();
        boolean gemma = architecture.equals("gemma2");
        metadata.put("general.architecture", architecture);
        metadata.put("general.type", "model");
        metadata.put("general.name", folder.toAbsolutePath().normalize().getFileName().toString());
        put("block_count", config.layers());
        put("context_length", config.contextLength());
        put("embedding_length", config.hidden());
        put("feed_forward_length", config.intermediate());
        put("attention.head_count", spec.heads());
        put("attention.head_count_kv", spec.kvHeads());
        rope(HfDecoder.ropeBase(json), spec.headDim());
        put("attention.layer_norm_rms_epsilon", config.norm().eps());
        put("attention.key_length", spec.headDim());
        put("attention.value_length", spec.headDim());
        put("vocab_size", config.vocabulary());
        put("rope.dimension_count", spec.headDim());
        if (config.activation() != (gemma ? Activation.GELU_TANH : Activation.SILU)) {
            throw refuse(gemma ? "hidden_activation" : "hidden_act", "GGUF knows " + architecture + " with " + (gemma ? "gelu_pytorch_tanh" : "silu") + " only, found " + config.activation());
        }
        if (gemma) {
            if (spec.softcap() == 0 || config.logitSoftcap() == 0) {
                throw refuse(spec.softcap() == 0 ? "attn_logit_softcapping" : "final_logit_softcapping", "GGUF knows gemma2 with soft-caps only, found none");
            }
            put("attn_logit_softcapping", spec.softcap());
            put("final_logit_softcapping", config.logitSoftcap());
        }
        window(gemma);
        metadata.putAll(GgufVocabularyExport.metadata(folder, config.vocabulary()));
    }

    /** A window holds in every layer, or (Gemma-2) in every second one from the first on. */
    private void window(boolean gemma) {
        boolean[] windowed = config.attention().windowed();
        boolean any = false;
        for (boolean w : windowed) {
            any |= w;
        }
        for (int l = 0; l < windowed.length; l++) {
            if (windowed[l] != (gemma ? l % 2 == 0 : any)) {
                throw refuse("sliding_window", "GGUF knows " + architecture + " with a window in " + (gemma ? "every second layer" : "all layers or none")
                        + " only; layer " + l + " is different");
            }
        }
        if (any) {
            put("attention.sliding_window", config.attention().spec().window());
            if (architecture.equals("llama") && config.attention().spec().window() < config.contextLength()) {
                LOG.log(System.Logger.Level.WARNING, "{0}: the window of {1} positions is written, but llama.cpp does not read it in files of llama models",
                        json, Integer.toString(config.attention().spec().window()));
            }
        }
    }

    /** Scaled frequencies: by one factor for all, or (Llama 3.1) by one for each pair. */
    private void rope(double base, int headDim) {
        put("rope.freq_base", (float) base);
        float[] divisors = RopeFrequencies.plain(headDim, base);
        float least = Float.MAX_VALUE;
        float most = 0;
        for (int j = 0; j < divisors.length; j++) {
            divisors[j] /= config.rope().invFreq()[j];
            least = Math.min(least, divisors[j]);
            most = Math.max(most, divisors[j]);
        }
        if (most - least > SAME * most) {
            if (!architecture.equals("llama")) {
                throw refuse("rope_scaling", "GGUF knows " + architecture + " without llama3's scaling only");
            }
            parts.add(Part.of("rope_freqs.weight", Tensor.ofFloats(divisors, divisors.length), Use.PRECISE));
        } else if (Math.abs(most - 1) > SAME) {
            put("rope.scaling.type", "linear");
            put("rope.scaling.factor", most);
        }
    }

    private void tensors(DecoderWeights weights) {
        DecoderNames names = GgufDecoder.names(architecture);
        parts.add(Part.of(names.embedding(), weights.embedding(), config.tied() ? Use.OUTPUT : Use.MATRIX));
        for (int l = 0; l < config.layers(); l++) {
            DecoderWeights.Layer layer = weights.layers().get(l);
            String prefix = String.format(Locale.ROOT, names.layer(), l);
            norm(prefix + names.attentionNorm(), layer.attentionNorm());
            for (Projection projection : Projection.values()) {
                projection(prefix + names.projection().apply(projection), new Site(l, projection), layer.at(projection));
            }
            norm(prefix + names.queryNorm(), layer.queryNorm());
            norm(prefix + names.keyNorm(), layer.keyNorm());
            norm(prefix + names.attentionPostNorm(), layer.attentionPostNorm());
            norm(prefix + names.mlpNorm(), layer.mlpNorm());
            norm(prefix + names.mlpPostNorm(), layer.mlpPostNorm());
        }
        parts.add(shifted(names.finalNorm(), weights.finalNorm()));
        if (!config.tied()) {
            parts.add(Part.of(names.output(), weights.output(), Use.OUTPUT));
        }
        if (queryFactor != 1) {
            LOG.log(System.Logger.Level.WARNING, "GGUF has no key for query_pre_attn_scalar: the rows of q are multiplied by {0} instead; "
                    + "adapters of q_proj must be exported with --base too", Double.toString(queryFactor));
        }
    }

    private void norm(String name, Tensor weight) {
        if (weight != null) {
            parts.add(shifted(name + ".weight", weight));
        }
    }

    private Part shifted(String name, Tensor weight) {
        float offset = config.norm().weightOffset();
        if (offset == 0) {
            return Part.of(name, weight, Use.PRECISE);
        }
        return new Part(name, weight.dtype(), weight.shape(), Use.PRECISE, false, arena -> mapped(arena, weight, 1, offset));
    }

    private void projection(String name, Site site, Affine dense) {
        add(name + ".weight", site, dense.weight(), Use.MATRIX, sum.touches(site), arena -> sum.apply(arena, site, dense.weight(), 0));
        if (dense.bias() != null) {
            add(name + ".bias", site, dense.bias(), Use.PRECISE, false, arena -> dense.bias());
        }
    }

    private void add(String name, Site site, Tensor like, Use use, boolean summed, GgufWriter.Source source) {
        boolean query = site.projection() == Projection.Q;
        boolean interleave = architecture.equals("llama") && (query || site.projection() == Projection.K);
        int heads = query ? config.attention().spec().heads() : config.attention().spec().kvHeads();
        parts.add(new Part(name, like.dtype(), like.shape(), use, summed, arena -> {
            Tensor rows = source.load(arena);
            Tensor scaled = query && queryFactor != 1 ? mapped(arena, rows, queryFactor, 0) : rows;
            return interleave ? HeadRows.interleave(arena, scaled, heads) : scaled;
        }));
    }

    /** {@code factor * x + offset} in f32. */
    private static Tensor mapped(Arena arena, Tensor x, double factor, float offset) {
        Tensor y = Tensor.allocate(arena, DType.F32, x.shape());
        float[] values = x.toFloats();
        for (int i = 0; i < values.length; i++) {
            y.setFloat(i, (float) (factor * values[i] + offset));
        }
        return y;
    }

    private void put(String key, Object value) {
        metadata.put(architecture + "." + key, value);
    }

    private FormatException refuse(String key, String why) {
        return new FormatException(json, "key '" + key + "'", why);
    }
}
