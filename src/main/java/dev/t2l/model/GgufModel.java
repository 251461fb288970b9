package dev.t2l.model;

import dev.t2l.io.FormatException;
import dev.t2l.io.GgufWriter;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.text.TokenGroup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What a GGUF file of a model is to hold, before types are chosen.
 *
 * @param metadata in the order of the file
 * @param release  closes the files behind the tensors
 */
record GgufModel(Map<String, Object> metadata, List<Part> parts, Runnable release) {
    /** What a tensor is in the model, as far as its type depends on it. */
    enum Use {
        MATRIX,
        /** Makes the logits: the output matrix, or the embedding table where it is both. */
        OUTPUT,
        /** A small table that is f32 unless an exception names it. */
        TABLE,
        /** Norms and biases, which are f32. */
        PRECISE
    }

    /**
     * A tensor.
     *
     * @param dtype  of what it is made from
     * @param sum    whether adapters are added to it
     * @param source gives it in any type
     */
    record Part(String name, DType dtype, long[] shape, Use use, boolean sum, GgufWriter.Source source) {
        /** A tensor as it is. */
        static Part of(String name, Tensor tensor, Use use) {
            return new Part(name, tensor.dtype(), tensor.shape(), use, false, arena -> tensor);
        }
    }

    /** Opens an encoder's folder without some of its tokens. */
    static GgufModel open(Path folder, Set<TokenGroup> dropped) {
        if (!Files.isDirectory(folder) || !Encoder.isEncoder(folder)) {
            throw new IllegalArgumentException("tokens can be dropped of an encoder's folder alone, not of " + folder);
        }
        return BertExport.open(folder, dropped);
    }

    /** Opens a model's folder or GGUF file. */
    static GgufModel open(Path path, AdapterSum sum) {
        if (!Files.isDirectory(path)) {
            return GgufCopy.open(path, sum);
        }
        if (!Encoder.isEncoder(path)) {
            return DecoderExport.open(path, sum);
        }
        if (!sum.adapters().isEmpty()) {
            throw new FormatException(path.resolve("config.json"), "key 'model_type'", "wanted a decoder to add adapters to, found an encoder");
        }
        return BertExport.open(path, Set.of());
    }
}
