package dev.t2l.hyper;

import dev.t2l.io.Gguf;
import dev.t2l.io.GgufWriter;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A hypernetwork's tensors in a quarter of their size, as GGUF: large matrices are q8_0, all others f32, by their published names. A
 * tensor whose values are all the same (offsets and statistics that training did not use) is left out; the keys
 * {@code t2l.constant.<name>} (f32) and {@code t2l.shape.<name>} (i32 array) stand for it. {@code t2l.heads} has the modules in the
 * order of the type embedding.
 */
final class HyperGguf {
    private static final String ARCHITECTURE = "text-to-lora";
    private static final String HEADS = "t2l.heads";
    private static final String CONSTANT = "t2l.constant.";
    private static final String SHAPE = "t2l.shape.";
    private static final long LARGE = 1 << 14;

    private HyperGguf() {
    }

    static void write(Path to, Weights weights, List<String> heads) {
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("general.architecture", ARCHITECTURE);
        metadata.put("general.type", "hypernetwork");
        metadata.put(HEADS, heads.toArray(String[]::new));
        Map<String, Tensor> kept = new LinkedHashMap<>();
        weights.tensors().forEach((name, tensor) -> {
            float[] values = tensor.toFloats();
            if (allSame(values)) {
                metadata.put(CONSTANT + name, values[0]);
                metadata.put(SHAPE + name, Arrays.stream(tensor.shape()).mapToInt(Math::toIntExact).toArray());
            } else {
                kept.put(name, tensor);
            }
        });
        var writer = new GgufWriter(metadata);
        kept.forEach((name, tensor) -> writer.add(name, type(tensor), tensor));
        writer.write(to);
    }

    private static boolean allSame(float[] values) {
        for (float v : values) {
            if (Float.floatToIntBits(v) != Float.floatToIntBits(values[0])) {
                return false;
            }
        }
        return values.length > 0;
    }

    private static DType type(Tensor tensor) {
        boolean large = tensor.rank() == 2 && tensor.elements() >= LARGE && tensor.cols() % DType.Q8_0.blockSize() == 0;
        return large ? DType.Q8_0 : DType.F32;
    }

    /**
     * Reads all tensors into memory as f32, in the order of the file, then the constant ones.
     *
     * @throws dev.t2l.io.FormatException if it is another file
     */
    static HyperTensorFile read(Path path) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        Arena arena = Arena.ofShared();
        try (Gguf file = Gguf.open(path)) {
            if (!file.string("general.architecture").equals(ARCHITECTURE)) {
                throw file.problem("general.architecture", "wanted '" + ARCHITECTURE + "', found '" + file.string("general.architecture") + "'");
            }
            file.weights().tensors().forEach((name, tensor) -> {
                Tensor plain = Tensor.allocate(arena, DType.F32, tensor.shape());
                plain.data().copyFrom(MemorySegment.ofArray(tensor.toFloats()));
                tensors.put(name, plain);
            });
            file.metadata().keySet().stream().filter(key -> key.startsWith(CONSTANT)).forEach(key -> {
                String name = key.substring(CONSTANT.length());
                tensors.put(name, constant(file, arena, name));
            });
            return new HyperTensorFile(path, new Weights(tensors, closing(arena)), Optional.of(List.of(file.strings(HEADS))));
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    private static Tensor constant(Gguf file, Arena arena, String name) {
        long[] shape = Arrays.stream(file.ints(SHAPE + name)).asLongStream().toArray();
        if (shape.length == 0 || Arrays.stream(shape).anyMatch(d -> d < 1) || Arrays.stream(shape).asDoubleStream().reduce(1, (a, b) -> a * b) > Integer.MAX_VALUE) {
            throw file.problem(SHAPE + name, "no shape of a tensor: " + Arrays.toString(shape));
        }
        Tensor tensor = Tensor.allocate(arena, DType.F32, shape);
        float value = (float) file.real(CONSTANT + name);
        for (long i = 0; i < tensor.elements(); i++) {
            tensor.setFloat(i, value);
        }
        return tensor;
    }

    private static Runnable closing(Arena arena) {
        return () -> {
            if (arena.scope().isAlive()) {
                arena.close();
            }
        };
    }
}
