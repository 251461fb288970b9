package dev.t2l.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafeTensorsTest {
    @TempDir
    Path folder;

    @Test
    void writesWhatItReads() {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (DType dtype : DType.values()) {
            if (!dtype.quantised()) {
                Tensor t = Tensor.allocate(Arena.ofAuto(), dtype, 3, 1);
                for (int i = 0; i < t.bytes(); i++) {
                    t.data().set(ValueLayout.JAVA_BYTE, i, (byte) (i * 31 + dtype.ordinal()));
                }
                tensors.put("é \"" + dtype, t);
            }
        }
        tensors.put("scalar", Tensor.ofFloats(new float[] {4}));
        tensors.put("empty", Tensor.ofFloats(new float[0], 0, 2));
        Path file = folder.resolve("model.safetensors");
        SafeTensors.write(file, tensors, Map.of("format", "pt", "ключ", "😀"));
        try (var read = SafeTensors.open(folder)) {
            assertEquals(Map.of("format", "pt", "ключ", "😀"), read.metadata());
            assertEquals(List.copyOf(tensors.keySet()), List.copyOf(read.weights().tensors().keySet()));
            tensors.forEach((name, t) -> SafeTensorsGoldenTest.assertSame(name, t, read.weights().get(name)));
        }
    }

    @Test
    void closingTwiceIsHarmlessAndUseAfterwardsThrows() {
        Path file = folder.resolve("a.safetensors");
        SafeTensors.write(file, Map.of("a", Tensor.ofFloats(new float[] {1, 2}, 2)), Map.of());
        var read = SafeTensors.open(file);
        Tensor a = read.weights().get("a");
        assertArrayEquals(new float[] {1, 2}, a.toFloats());
        read.close();
        read.close();
        assertThrows(IllegalStateException.class, a::toFloats);
    }

    @Test
    void writingOverAnOpenFileLeavesItsReaderAlone() {
        Path file = folder.resolve("a.safetensors");
        SafeTensors.write(file, Map.of("a", Tensor.ofFloats(new float[] {1, 2}, 2)), Map.of());
        try (var read = SafeTensors.open(file)) {
            SafeTensors.write(file, Map.of("a", Tensor.ofFloats(new float[] {3}, 1)), Map.of());
            assertArrayEquals(new float[] {1, 2}, read.weights().get("a").toFloats());
        }
    }

    @Test
    void aFolderWithoutWeightsSaysWhatWasWanted() throws IOException {
        Files.writeString(folder.resolve("config.json"), "{}");
        String message = assertThrows(FormatException.class, () -> SafeTensors.open(folder)).getMessage();
        assertTrue(message.contains("model.safetensors") && message.contains(folder.toString()), message);
    }
}
