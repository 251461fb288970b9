package dev.t2l.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Quantise;
import dev.t2l.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufTest {
    @TempDir
    Path folder;

    private static float[] ramp(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (i * 37 % 101 - 50) / 16f;
        }
        return values;
    }

    @Test
    void writesWhatItReads() {
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("general.architecture", "llama");
        metadata.put("llama.block_count", 2);
        metadata.put("llama.rms", 1e-5f);
        metadata.put("flag", true);
        metadata.put("negative", -3);
        metadata.put("big", 1L << 40);
        metadata.put("double", 0.1);
        metadata.put("tokens", new String[] {"a", "é", ""});
        metadata.put("scores", new float[] {1, -2});
        metadata.put("types", new int[] {1, -6});
        metadata.put("narrow", GgufValue.array(GgufValue.Type.UINT16, new long[] {65535}));
        metadata.put("nested", GgufValue.array(GgufValue.Type.ARRAY, List.of(GgufValue.array(GgufValue.Type.INT8, new long[] {-1}))));
        Path file = folder.resolve("a.gguf");
        Gguf.write(file, metadata, Map.of("w", Tensor.ofFloats(ramp(6), 2, 3)));
        Path copy = folder.resolve("b.gguf");
        try (var gguf = Gguf.open(file)) {
            assertEquals(3, gguf.version());
            assertEquals(List.copyOf(metadata.keySet()), List.copyOf(gguf.metadata().keySet()));
            assertEquals(GgufValue.Type.UINT32, gguf.values().get("llama.block_count").type());
            assertEquals(GgufValue.Type.INT32, gguf.values().get("negative").type());
            assertEquals(1L << 40, gguf.integer("big"));
            assertEquals(1e-5f, (float) gguf.real("llama.rms"));
            assertEquals(0.1, gguf.real("double"));
            assertTrue(gguf.bool("flag"));
            assertArrayEquals(new String[] {"a", "é", ""}, gguf.strings("tokens"));
            assertArrayEquals(new float[] {1, -2}, gguf.floats("scores"));
            assertArrayEquals(new int[] {1, -6}, gguf.ints("types"));
            assertArrayEquals(new long[] {2, 3}, gguf.weights().get("w").shape());
            assertArrayEquals(ramp(6), gguf.weights().get("w").toFloats());
            Gguf.write(copy, new LinkedHashMap<>(gguf.values()), gguf.weights().tensors());
        }
        try (var again = Gguf.open(copy); var first = Gguf.open(file)) {
            assertEquals(first.values().get("narrow").typeName(), again.values().get("narrow").typeName());
            assertEquals(-1, Files.mismatch(file, copy));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void convertsOnTheWay() {
        Tensor w = Tensor.ofFloats(ramp(3 * 64), 3, 64);
        Path file = folder.resolve("q.gguf");
        new GgufWriter(Map.of("general.architecture", "llama"))
                .add("w", DType.Q8_0, w)
                .add("late", DType.F16, new long[] {3, 64}, arena -> Quantise.tensor(w, DType.BF16))
                .write(file);
        try (var gguf = Gguf.open(file)) {
            assertArrayEquals(Quantise.tensor(w, DType.Q8_0).toFloats(), gguf.weights().get("w").toFloats());
            assertEquals(DType.F16, gguf.weights().get("late").dtype());
            assertArrayEquals(ramp(3 * 64), gguf.weights().get("late").toFloats());
        }
    }

    @Test
    void gettersSayWhatIsWrong() {
        Path file = folder.resolve("a.gguf");
        Gguf.write(file, Map.of("name", "x"), Map.of());
        try (var gguf = Gguf.open(file)) {
            String wrongType = assertThrows(FormatException.class, () -> gguf.integer("name")).getMessage();
            assertTrue(wrongType.contains("a.gguf") && wrongType.contains("'name'") && wrongType.contains("STRING"), wrongType);
            assertTrue(assertThrows(FormatException.class, () -> gguf.string("gone")).getMessage().contains("missing"));
            assertEquals(7, gguf.integer("gone", 7));
        }
    }

    @Test
    void aFailedWriteLeavesNothing() throws IOException {
        Path file = folder.resolve("a.gguf");
        var writer = new GgufWriter(Map.of()).add("w", DType.F16, Tensor.ofFloats(new float[] {1e9f}, 1));
        assertThrows(IllegalArgumentException.class, () -> writer.write(file));
        try (var left = Files.list(folder)) {
            assertEquals(0, left.count());
        }
    }

    @Test
    void useAfterCloseThrows() {
        Path file = folder.resolve("a.gguf");
        Gguf.write(file, Map.of(), Map.of("w", Tensor.ofFloats(ramp(6), 6)));
        var gguf = Gguf.open(file);
        gguf.close();
        gguf.close();
        assertThrows(IllegalStateException.class, () -> gguf.weights().get("w").toFloats());
    }
}
