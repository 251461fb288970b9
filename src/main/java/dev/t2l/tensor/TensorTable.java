package dev.t2l.tensor;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.LongFunction;

/**
 * What one allocation holds: named tensors with shape and type, known, summed and printable before anything is allocated.
 */
public final class TensorTable {
    private static final long ALIGNMENT = 64;

    /** One tensor of the table. */
    public record Entry(String name, DType dtype, List<Long> shape, long offset) {
        long bytes() {
            return dtype.bytes(shape.stream().mapToLong(Long::longValue).reduce(1, Math::multiplyExact));
        }
    }

    private final List<Entry> entries = new ArrayList<>();
    private long size;

    /** Appends a tensor and returns this table. */
    public TensorTable add(String name, DType dtype, long... shape) {
        List<Long> dims = new ArrayList<>();
        for (long d : shape) {
            dims.add(d);
        }
        var entry = new Entry(name, dtype, List.copyOf(dims), size);
        entries.add(entry);
        size = Math.addExact(size, (entry.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
        return this;
    }

    /** Bytes of the whole allocation, at least one. */
    public long bytes() {
        return Math.max(ALIGNMENT, size);
    }

    /** Allocates once and carves every tensor out of it. */
    public Weights carve(LongFunction<Memory> allocator) {
        Memory memory = allocator.apply(bytes());
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        Tensor all = Tensor.of(DType.U8, memory.segment(), bytes());
        for (Entry e : entries) {
            long[] shape = e.shape().stream().mapToLong(Long::longValue).toArray();
            tensors.put(e.name(), Tensor.of(e.dtype(), all.slice(e.offset(), e.offset() + e.bytes()).data(), shape));
        }
        return new Weights(tensors, memory::close);
    }

    /** One line a tensor: name, type, shape, MiB; then the sum. */
    @Override
    public String toString() {
        var text = new StringBuilder();
        for (Entry e : entries) {
            text.append(String.format(Locale.ROOT, "%-40s %-6s %-24s %10.3f MiB%n", e.name(), e.dtype(), e.shape(), e.bytes() / 1048576.0));
        }
        return text.append(String.format(Locale.ROOT, "%-40s %-6s %-24s %10.3f MiB%n", "total", "", "", size / 1048576.0)).toString();
    }
}
