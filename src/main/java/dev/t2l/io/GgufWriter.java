package dev.t2l.io;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Quantise;
import dev.t2l.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;

/**
 * Writes a GGUF file of version 3, one tensor after another: at any time only one computed tensor is in memory.
 */
public final class GgufWriter {
    /** Gives the elements when they are written. */
    @FunctionalInterface
    public interface Source {
        /** @param arena closed once the tensor is written */
        Tensor load(Arena arena);
    }

    private record Entry(String name, DType dtype, long[] shape, Source source) {
        long bytes() {
            return dtype.bytes(Tensor.elements(shape));
        }
    }

    private final Map<String, GgufValue> metadata = new LinkedHashMap<>();
    private final List<Entry> entries = new ArrayList<>();
    private final int alignment;

    /**
     * @param metadata in the order of the file; see {@link Gguf#write} for the types
     * @throws IllegalArgumentException for a value that GGUF has no type for
     */
    public GgufWriter(Map<String, Object> metadata) {
        metadata.forEach((key, value) -> this.metadata.put(key, GgufValue.natural(value)));
        GgufValue chosen = this.metadata.get(GgufHeader.ALIGNMENT_KEY);
        if (chosen != null && (chosen.type() != GgufValue.Type.UINT32 || Long.bitCount((Long) chosen.value()) != 1 || (Long) chosen.value() > 1 << 16)) {
            throw new IllegalArgumentException(GgufHeader.ALIGNMENT_KEY + " must be a power of two up to 65536, is " + chosen.value());
        }
        alignment = chosen == null ? GgufHeader.DEFAULT_ALIGNMENT : Math.toIntExact((Long) chosen.value());
    }

    /** Appends a host tensor, converted to {@code dtype} (see {@link Quantise#supports}) where it is of another type. */
    public GgufWriter add(String name, DType dtype, Tensor tensor) {
        return add(name, dtype, tensor.shape(), arena -> tensor);
    }

    /**
     * Appends a tensor that {@code source} makes when its turn comes.
     *
     * @param shape row-major, of 1 to 4 dimensions, none of them 0
     * @throws IllegalArgumentException if GGUF cannot hold such a tensor
     */
    public GgufWriter add(String name, DType dtype, long[] shape, Source source) {
        GgufTypes.number(dtype);
        if (name.getBytes(StandardCharsets.UTF_8).length > GgufHeader.MAX_NAME || entries.stream().anyMatch(e -> e.name().equals(name))) {
            throw new IllegalArgumentException("tensor '" + name + "' is there already, or its name is over " + GgufHeader.MAX_NAME + " bytes");
        }
        if (shape.length < 1 || shape.length > 4 || Tensor.elements(shape) == 0 || shape[shape.length - 1] % dtype.blockSize() != 0) {
            throw new IllegalArgumentException("tensor '" + name + "': GGUF holds 1 to 4 dimensions, rows of whole blocks and no empty tensors; got "
                    + dtype + Arrays.toString(shape));
        }
        entries.add(new Entry(name, dtype, shape.clone(), source));
        return this;
    }

    /** Bytes of tensor data. */
    public long dataBytes() {
        return entries.stream().mapToLong(e -> aligned(e.bytes())).sum();
    }

    /** Writes everything, to a temporary file that is then moved to {@code path}. */
    public void write(Path path) {
        write(path, done -> { });
    }

    /**
     * As {@link #write(Path)}.
     *
     * @param progress told after every tensor how many of {@link #dataBytes} are written
     */
    public void write(Path path, LongConsumer progress) {
        AtomicFile.write(path, channel -> {
            AtomicFile.put(channel, ByteBuffer.wrap(header()));
            long done = 0;
            for (Entry e : entries) {
                try (Arena arena = Arena.ofShared()) {
                    putData(channel, e, e.source().load(arena));
                }
                AtomicFile.put(channel, ByteBuffer.allocate((int) (aligned(e.bytes()) - e.bytes())));
                done += aligned(e.bytes());
                progress.accept(done);
            }
        });
    }

    private static void putData(FileChannel channel, Entry e, Tensor tensor) throws IOException {
        if (!Arrays.equals(tensor.shape(), e.shape()) || tensor.data().byteSize() < tensor.bytes()) {
            throw new IllegalArgumentException("tensor '" + e.name() + "': wanted a host tensor of " + Arrays.toString(e.shape()) + ", got " + tensor);
        }
        if (tensor.dtype() == e.dtype()) {
            AtomicFile.put(channel, tensor.data().asSlice(0, tensor.bytes()));
        } else {
            for (ByteBuffer chunk : Quantise.chunks(tensor, e.dtype())) {
                AtomicFile.put(channel, chunk);
            }
        }
    }

    private long aligned(long bytes) {
        return Math.ceilDiv(bytes, alignment) * alignment;
    }

    private byte[] header() {
        var out = new LittleEndian();
        out.int32(GgufHeader.MAGIC).int32(3).int64(entries.size()).int64(metadata.size());
        metadata.forEach((key, value) -> {
            out.string(key).int32(value.type().ordinal());
            out.value(value);
        });
        long offset = 0;
        for (Entry e : entries) {
            out.string(e.name()).int32(e.shape().length);
            for (int i = e.shape().length - 1; i >= 0; i--) {
                out.int64(e.shape()[i]);
            }
            out.int32(GgufTypes.number(e.dtype())).int64(offset);
            offset += aligned(e.bytes());
        }
        return out.padded(alignment);
    }

    /** Bytes of header values, appended. */
    private static final class LittleEndian {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        private LittleEndian put(long bits, int size) {
            bytes.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(bits).array(), 0, size);
            return this;
        }

        LittleEndian int32(int value) {
            return put(value, 4);
        }

        LittleEndian int64(long value) {
            return put(value, 8);
        }

        LittleEndian string(String text) {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            int64(utf8.length);
            bytes.writeBytes(utf8);
            return this;
        }

        void value(GgufValue value) {
            switch (value.type()) {
                case ARRAY -> array(value);
                case STRING -> string((String) value.value());
                case FLOAT32 -> int32(Float.floatToRawIntBits((Float) value.value()));
                case FLOAT64 -> int64(Double.doubleToRawLongBits((Double) value.value()));
                case BOOL -> put((Boolean) value.value() ? 1 : 0, 1);
                default -> put(((Number) value.value()).longValue(), value.type().minBytes);
            }
        }

        private void array(GgufValue array) {
            int32(array.element().ordinal());
            switch (array.value()) {
                case String[] strings -> {
                    int64(strings.length);
                    for (String s : strings) {
                        string(s);
                    }
                }
                case float[] floats -> {
                    int64(floats.length);
                    for (float f : floats) {
                        int32(Float.floatToRawIntBits(f));
                    }
                }
                case double[] doubles -> {
                    int64(doubles.length);
                    for (double d : doubles) {
                        int64(Double.doubleToRawLongBits(d));
                    }
                }
                case boolean[] booleans -> {
                    int64(booleans.length);
                    for (boolean b : booleans) {
                        put(b ? 1 : 0, 1);
                    }
                }
                case long[] longs -> {
                    int64(longs.length);
                    for (long l : longs) {
                        put(l, array.element().minBytes);
                    }
                }
                case List<?> nested -> {
                    int64(nested.size());
                    nested.forEach(v -> array((GgufValue) v));
                }
                default -> throw new IllegalArgumentException("no GGUF array of " + array.value().getClass());
            }
        }

        byte[] padded(int alignment) {
            while (bytes.size() % alignment != 0) {
                bytes.write(0);
            }
            return bytes.toByteArray();
        }
    }
}
