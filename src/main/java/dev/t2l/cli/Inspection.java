package dev.t2l.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * What {@code t2l inspect} tells of a file or folder.
 *
 * @param size       bytes on the disk, all files of a folder together
 * @param parameters values in tensors of float and quantised types
 * @param about      metadata or configuration, long values abbreviated
 * @param tensors    null if not asked for
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record Inspection(String path, String kind, long size, long parameters, List<TypeCount> types, Map<String, Object> about, List<TensorLine> tensors) {
    private static final Set<DType> NO_FLOATS = EnumSet.of(DType.I64, DType.I32, DType.I16, DType.I8, DType.U64, DType.U32, DType.U16, DType.U8, DType.BOOL);

    /** All tensors of a type. */
    record TypeCount(DType type, long tensors, long bytes) {
    }

    record TensorLine(String name, DType type, long[] shape, long bytes) {
    }

    static Inspection of(String path, String kind, long size, Weights weights, Map<String, Object> about, boolean withTensors) {
        var counts = new EnumMap<DType, TypeCount>(DType.class);
        long parameters = 0;
        for (Tensor t : weights.tensors().values()) {
            counts.merge(t.dtype(), new TypeCount(t.dtype(), 1, t.bytes()), (a, b) -> new TypeCount(a.type(), a.tensors() + b.tensors(), a.bytes() + b.bytes()));
            parameters += NO_FLOATS.contains(t.dtype()) ? 0 : t.elements();
        }
        List<TensorLine> lines = withTensors ? weights.tensors().entrySet().stream()
                .map(e -> new TensorLine(e.getKey(), e.getValue().dtype(), e.getValue().shape(), e.getValue().bytes())).toList() : null;
        return new Inspection(path, kind, size, parameters, List.copyOf(counts.values()), about, lines);
    }

    String text() {
        var text = new StringBuilder();
        line(text, "%-12s%s", "path", path);
        line(text, "%-12s%s", "kind", kind);
        line(text, "%-12s%s", "size", Mebibytes.of(size));
        line(text, "%-12s%s", "parameters", String.format(Locale.ROOT, "%,d", parameters));
        for (TypeCount type : types) {
            line(text, "%-12s%-8s%6d tensors %14s", "type", type.type(), type.tensors(), Mebibytes.of(type.bytes()));
        }
        if (!about.isEmpty()) {
            text.append('\n');
            int width = about.keySet().stream().mapToInt(String::length).max().orElse(0);
            about.forEach((key, value) -> line(text, "%-" + width + "s  %s", key, value));
        }
        if (tensors != null) {
            text.append('\n');
            int width = tensors.stream().mapToInt(t -> t.name().length()).max().orElse(1);
            tensors.forEach(t -> line(text, "%-" + width + "s  %-8s%-24s%14s", t.name(), t.type(), Arrays.toString(t.shape()), Mebibytes.of(t.bytes())));
        }
        return text.toString();
    }

    private static void line(StringBuilder text, String format, Object... values) {
        text.append(String.format(Locale.ROOT, format, values).stripTrailing()).append('\n');
    }
}
