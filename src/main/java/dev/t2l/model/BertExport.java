package dev.t2l.model;

import dev.t2l.backend.Activation;
import dev.t2l.backend.Backend;
import dev.t2l.io.FormatException;
import dev.t2l.io.SafeTensors;
import dev.t2l.model.GgufModel.Part;
import dev.t2l.model.GgufModel.Use;
import dev.t2l.tensor.Tensor;
import dev.t2l.text.GgufVocabularyExport;
import dev.t2l.text.TokenGroup;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A BERT encoder's folder as GGUF, with the pooling that the folder names; {@link GgufBert} reads it. */
final class BertExport {
    private static final System.Logger LOG = System.getLogger("dev.t2l.model");

    private static final String WORDS = GgufBert.NAMES.inFile("embeddings.word_embeddings.weight");

    private final List<Part> parts = new ArrayList<>();

    private BertExport() {
    }

    /** @param dropped tokens of these groups are left out */
    static GgufModel open(Path folder, Set<TokenGroup> dropped) {
        SentenceModules modules = SentenceModules.read(folder);
        Path transformer = modules.transformer();
        JsonConfig json = JsonConfig.read(transformer.resolve("config.json"));
        if (!json.text("model_type", "").equals("bert")) {
            throw json.refuse("model_type", "of the encoders, only 'bert' can be written as GGUF");
        }
        BertConfig config = BertConfig.of(json);
        if (config.activation() != Activation.GELU) {
            throw json.refuse("hidden_act", "GGUF knows BERT with gelu only");
        }
        if (!modules.prompt().isEmpty()) {
            LOG.log(System.Logger.Level.WARNING, "GGUF has no key for the prompt that {0} puts before each text: ''{1}''", folder, modules.prompt());
        }
        SafeTensors file = SafeTensors.open(transformer);
        try {
            var tensors = ModelTensors.ofHuggingFace(transformer, file.weights().tensors(), "bert.", Backend.open("java").placement());
            BertWeights weights = BertWeights.of(tensors, config);
            Map<String, Object> metadata = describe(folder, modules, config);
            var export = new BertExport();
            if (dropped.isEmpty()) {
                metadata.putAll(GgufVocabularyExport.metadata(transformer, config.vocabulary()));
                export.parts.add(Part.of(WORDS, weights.words(), Use.MATRIX));
            } else {
                GgufVocabularyExport.Subset subset = GgufVocabularyExport.metadata(transformer, config.vocabulary(), dropped);
                metadata.putAll(subset.metadata());
                export.words(weights.words(), subset.rows());
                LOG.log(System.Logger.Level.INFO, "{0}: {1} of {2} tokens are left out", folder, config.vocabulary() - subset.rows().length, config.vocabulary());
            }
            export.tensors(weights);
            return new GgufModel(metadata, export.parts, file::close);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static Map<String, Object> describe(Path folder, SentenceModules modules, BertConfig config) {
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("general.architecture", "bert");
        metadata.put("general.type", "model");
        metadata.put("general.name", folder.toAbsolutePath().normalize().getFileName().toString());
        metadata.put("bert.block_count", config.layers());
        metadata.put("bert.context_length", config.positions());
        metadata.put("bert.embedding_length", config.hidden());
        metadata.put("bert.feed_forward_length", config.intermediate());
        metadata.put("bert.attention.head_count", config.heads());
        metadata.put("bert.attention.layer_norm_epsilon", config.normEpsilon());
        metadata.put("bert.attention.causal", false);
        modules.pooling().ifPresent(pooling -> metadata.put("bert.pooling_type", switch (pooling) {
            case MEAN -> 1;
            case CLS -> 2;
            case LAST_TOKEN -> 3;
        }));
        metadata.put("tokenizer.ggml.token_type_count", config.types());
        return metadata;
    }

    /** The table of words with some of its rows. */
    private void words(Tensor table, int[] rows) {
        long width = table.cols();
        parts.add(new Part(WORDS, table.dtype(), new long[] {rows.length, width}, Use.MATRIX, false, arena -> {
            Tensor chosen = Tensor.allocate(arena, table.dtype(), rows.length, width);
            long bytes = table.dtype().bytes(width);
            for (int i = 0; i < rows.length; i++) {
                MemorySegment.copy(table.data(), rows[i] * bytes, chosen.data(), i * bytes, bytes);
            }
            return chosen;
        }));
    }

    private void tensors(BertWeights weights) {
        parts.add(Part.of(GgufBert.NAMES.inFile("embeddings.position_embeddings.weight"), weights.positions(), Use.TABLE));
        parts.add(Part.of(GgufBert.NAMES.inFile("embeddings.token_type_embeddings.weight"), weights.types(), Use.TABLE));
        add("embeddings.LayerNorm", weights.norm(), Use.PRECISE);
        for (int l = 0; l < weights.layers().size(); l++) {
            BertWeights.Layer layer = weights.layers().get(l);
            String at = "encoder.layer." + l + ".";
            add(at + "attention.self.query", layer.query(), Use.MATRIX);
            add(at + "attention.self.key", layer.key(), Use.MATRIX);
            add(at + "attention.self.value", layer.value(), Use.MATRIX);
            add(at + "attention.output.dense", layer.attentionOutput(), Use.MATRIX);
            add(at + "attention.output.LayerNorm", layer.attentionNorm(), Use.PRECISE);
            add(at + "intermediate.dense", layer.intermediate(), Use.MATRIX);
            add(at + "output.dense", layer.output(), Use.MATRIX);
            add(at + "output.LayerNorm", layer.outputNorm(), Use.PRECISE);
        }
    }

    private void add(String name, Affine affine, Use use) {
        parts.add(Part.of(GgufBert.NAMES.inFile(name + ".weight"), affine.weight(), use));
        parts.add(Part.of(GgufBert.NAMES.inFile(name + ".bias"), affine.bias(), Use.PRECISE));
    }
}
