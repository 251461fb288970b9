package dev.t2l.model;

import dev.t2l.io.GgufWriter;
import dev.t2l.model.GgufModel.Part;
import dev.t2l.model.GgufModel.Use;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.DType;
import dev.t2l.text.TokenGroup;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A model opened to be written as GGUF, as llama.cpp's converter would: a decoder or a BERT encoder from a Hugging Face folder or
 * from another GGUF file, whose vocabulary is then copied as it is. Weights stay in their mapped files until they are written, one
 * after another.
 */
public final class GgufExport implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger("dev.t2l.model");
    private static final Set<FileType> FEW_BITS = EnumSet.of(FileType.Q4_0, FileType.Q4_1, FileType.Q5_0, FileType.Q5_1);
    private static final Set<DType> KEPT = EnumSet.of(DType.F32, DType.F16, DType.BF16);
    private static final int QUANTIZATION_VERSION = 2;

    private final Path source;
    private final GgufModel model;

    private GgufExport(Path source, GgufModel model) {
        this.source = source;
        this.model = model;
    }

    /**
     * Opens a model.
     *
     * @throws dev.t2l.io.FormatException if it is broken, not supported, or cannot be said in GGUF
     */
    public static GgufExport open(Path folderOrGguf) {
        return open(folderOrGguf, List.of());
    }

    /**
     * Opens a BERT encoder's folder without some of its tokens and their rows of the embedding table. Texts in which they do not occur are
     * encoded as before.
     *
     * @throws IllegalArgumentException if it is no such folder
     */
    public static GgufExport open(Path folder, Set<TokenGroup> dropped) {
        return new GgufExport(folder, GgufModel.open(folder, dropped));
    }

    /**
     * Opens a decoder to which adapters are added, in f32, before its weights are written.
     *
     * @param adapters with weights that are the same for all rows
     * @throws IllegalArgumentException if an adapter does not fit
     */
    public static GgufExport open(Path folderOrGguf, List<LoraBatch.Entry> adapters) {
        return new GgufExport(folderOrGguf, GgufModel.open(folderOrGguf, new AdapterSum(List.copyOf(adapters))));
    }

    /**
     * The file, ready to be written while this is open.
     *
     * <p>Norms and biases are f32, and tables of positions unless an exception names them. A matrix whose rows are no whole number of blocks is written as f16, which is
     * said in one warning. In files of four or five bits the matrix that makes the logits (the embedding table of a tied model) is q8_0, as its
     * errors are not averaged out by anything that follows.
     *
     * @param type of the matrices; null keeps each matrix's own, but a quantised one with adapters added becomes q8_0, in which they survive
     */
    public GgufWriter as(FileType type) {
        return as(type, List.of());
    }

    /**
     * As {@link #as(FileType)}, with other types for some matrices.
     *
     * @param exceptions the first that names a matrix holds; none is left without one that it names
     * @throws IllegalArgumentException if an exception names no matrix
     */
    public GgufWriter as(FileType type, List<TensorType> exceptions) {
        for (TensorType exception : exceptions) {
            if (model.parts().stream().noneMatch(part -> part.use() != Use.PRECISE && exception.names(part.name()))) {
                throw new IllegalArgumentException("no matrix of " + source + " is named by " + exception.pattern() + "; there are " + model.parts().stream()
                        .filter(part -> part.use() != Use.PRECISE).map(part -> part.name().replaceFirst("^blk\\.\\d+\\.", "blk.*.")).distinct().toList());
            }
        }
        Map<String, Object> metadata = new LinkedHashMap<>(model.metadata());
        if (type != null || !metadata.containsKey("general.file_type")) {
            metadata.put("general.file_type", (type == null ? usual() : type).number());
        }
        metadata.put("general.quantization_version", QUANTIZATION_VERSION);
        var writer = new GgufWriter(metadata);
        List<Part> odd = new ArrayList<>();
        for (Part part : model.parts()) {
            DType dtype = dtype(part, type, exceptions);
            if (part.shape()[part.shape().length - 1] % dtype.blockSize() != 0) {
                odd.add(part);
                dtype = DType.F16;
            }
            writer.add(part.name(), dtype, part.shape(), part.source());
        }
        if (!odd.isEmpty()) {
            LOG.log(System.Logger.Level.WARNING, "{0}: {1} of {2} tensors are written as F16, for their rows are no whole number of blocks; the first is {3} {4}",
                    source, odd.size(), model.parts().size(), odd.getFirst().name(), Arrays.toString(odd.getFirst().shape()));
        }
        return writer;
    }

    private static DType dtype(Part part, FileType type, List<TensorType> exceptions) {
        if (part.use() == Use.PRECISE) {
            return DType.F32;
        }
        return exceptions.stream().filter(e -> e.names(part.name())).findFirst().map(e -> e.type().dtype()).orElseGet(() -> part.use() == Use.TABLE ? DType.F32 : dtype(part, type));
    }

    private static DType dtype(Part part, FileType type) {
        if (type != null) {
            return part.use() == Use.OUTPUT && FEW_BITS.contains(type) ? DType.Q8_0 : type.dtype();
        }
        if (part.dtype().quantised()) {
            return part.sum() ? DType.Q8_0 : part.dtype();
        }
        return KEPT.contains(part.dtype()) ? part.dtype() : DType.F32;
    }

    /** The type of most matrices of a folder. */
    private FileType usual() {
        return Arrays.stream(FileType.values()).max((a, b) -> Long.compare(count(a.dtype()), count(b.dtype()))).orElseThrow();
    }

    private long count(DType dtype) {
        return model.parts().stream().filter(part -> (part.use() == Use.MATRIX || part.use() == Use.OUTPUT) && dtype(part, null) == dtype).count();
    }

    /** Ends the mappings; a second call is harmless. */
    @Override
    public void close() {
        model.release().run();
    }
}
