package dev.t2l.io;

import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A GGUF file of version 2 or 3: typed metadata, and tensors that lie in the mapped file.
 *
 * <p>Shapes are row-major: ggml's dimensions reversed, so a projection is {@code [out, in]}. Types this version cannot read are
 * refused by name. Format: {@code docs/gguf.md} of ggml.
 */
public final class Gguf implements AutoCloseable {
    private final MappedFile file;
    private final int version;
    private final Map<String, GgufValue> values;
    private final Weights weights;

    private Gguf(MappedFile file, GgufHeader header) {
        this.file = file;
        this.version = header.version();
        this.values = Collections.unmodifiableMap(header.values());
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        header.tensors().forEach((name, e) -> tensors.put(name, Tensor.of(e.dtype(), file.bytes().asSlice(e.begin(), e.bytes()), e.shape())));
        this.weights = new Weights(tensors, file::close);
    }

    /**
     * @throws FormatException if the file breaks the format
     * @throws java.io.UncheckedIOException if it cannot be read
     */
    public static Gguf open(Path path) {
        try (var opened = new OpenFiles()) {
            MappedFile file = opened.add(path);
            var gguf = new Gguf(file, GgufHeader.read(file));
            opened.keep();
            return gguf;
        }
    }

    /**
     * Writes a file of version 3. Metadata values are of the Java types of {@link #metadata} or {@link GgufValue}s: an Integer or
     * Long becomes uint32 where it fits, a Float float32, a Double float64, {@code int[]} int32.
     *
     * @param tensors host tensors, written as they are; see {@link GgufWriter} for conversion on the way
     */
    public static void write(Path path, Map<String, Object> metadata, Map<String, Tensor> tensors) {
        var writer = new GgufWriter(metadata);
        tensors.forEach((name, tensor) -> writer.add(name, tensor.dtype(), tensor));
        writer.write(path);
    }

    public int version() {
        return version;
    }

    /**
     * Metadata in file order: {@link Long} for integers, {@link Float}, {@link Double}, {@link Boolean}, {@link String}, arrays as
     * {@code long[]}, {@code float[]}, {@code double[]}, {@code boolean[]}, {@code String[]}, arrays of arrays as a {@link List}.
     */
    public Map<String, Object> metadata() {
        Map<String, Object> natural = new LinkedHashMap<>();
        values.forEach((key, value) -> natural.put(key, natural(value)));
        return natural;
    }

    private static Object natural(GgufValue value) {
        if (value.value() instanceof List<?> nested) {
            List<Object> list = new ArrayList<>();
            nested.forEach(v -> list.add(natural((GgufValue) v)));
            return list;
        }
        return value.value();
    }

    /** Metadata in file order, with exact types. */
    public Map<String, GgufValue> values() {
        return values;
    }

    /** All tensors, in file order; closing them closes this. */
    public Weights weights() {
        return weights;
    }

    public boolean has(String key) {
        return values.containsKey(key);
    }

    /** @throws FormatException here and in the getters below if the key is missing or of another type */
    public String string(String key) {
        return get(key, String.class, "a string");
    }

    public String string(String key, String otherwise) {
        return has(key) ? string(key) : otherwise;
    }

    public long integer(String key) {
        return get(key, Long.class, "an integer of 63 bits");
    }

    public long integer(String key, long otherwise) {
        return has(key) ? integer(key) : otherwise;
    }

    /** A float32 or float64. */
    public double real(String key) {
        return get(key, Object.class, "a number") instanceof Double d ? d : get(key, Float.class, "a float");
    }

    public double real(String key, double otherwise) {
        return has(key) ? real(key) : otherwise;
    }

    public boolean bool(String key) {
        return get(key, Boolean.class, "a bool");
    }

    public boolean bool(String key, boolean otherwise) {
        return has(key) ? bool(key) : otherwise;
    }

    public String[] strings(String key) {
        return get(key, String[].class, "an array of strings").clone();
    }

    /** An array of integers that all fit 32 bits. */
    public int[] ints(String key) {
        long[] longs = get(key, long[].class, "an array of integers");
        for (long l : longs) {
            if (l != (int) l) {
                throw problem(key, l + " does not fit 32 bits");
            }
        }
        return Arrays.stream(longs).mapToInt(l -> (int) l).toArray();
    }

    /** An array of float32. */
    public float[] floats(String key) {
        return get(key, float[].class, "an array of float32").clone();
    }

    /** A problem of this file's metadata, for readers that give the keys their meaning. */
    public FormatException problem(String key, String cause) {
        return file.problem("key '" + key + "'", cause);
    }

    /** The file. */
    public Path path() {
        return file.path();
    }

    private <T> T get(String key, Class<T> type, String wanted) {
        GgufValue value = values.get(key);
        if (value == null) {
            throw problem(key, "is missing; wanted " + wanted);
        }
        if (!type.isInstance(value.value())) {
            throw problem(key, "wanted " + wanted + ", found " + value.typeName());
        }
        return type.cast(value.value());
    }

    @Override
    public void close() {
        file.close();
    }
}
