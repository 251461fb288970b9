package dev.t2l.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.t2l.Golden;
import dev.t2l.tensor.Elements;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class SafeTensorsGoldenTest {

    @TestFactory
    Stream<DynamicTest> filesAreReadOrRefused() {
        return Stream.of("safetensors_good", "safetensors_bad", "safetensors_bad_index").flatMap(FormatFamily::files).map(file ->
                DynamicTest.dynamicTest(file.name(), () -> file.check(path -> SafeTensors.open(path).close())));
    }

    @Test
    void valuesAreThoseOfTheLibrary() {
        Path folder = Golden.root().resolve("formats/safetensors_good");
        assumeTrue(Files.isDirectory(folder), "no formats/safetensors_good among the fixtures");
        var compared = new HashSet<String>();
        try (var expected = SafeTensors.open(folder.resolve("expected.safetensors"))) {
            FormatFamily.files("safetensors_good").forEach(file -> {
                try (var got = SafeTensors.open(file.path())) {
                    String prefix = "x." + file.path().getFileName().toString().replace(".safetensors", "") + ".";
                    got.weights().tensors().forEach((key, tensor) -> {
                        String name = expected.weights().has(prefix + key) ? prefix + key : key;
                        if (expected.weights().has(name)) {
                            assertSame(file.name() + " " + name, expected.weights().get(name), tensor);
                            compared.add(name);
                        }
                    });
                }
            });
            assertEquals(expected.weights().tensors().keySet(), compared);
        }
    }

    static void assertSame(String what, Tensor want, Tensor got) {
        assertArrayEquals(want.shape(), got.shape(), what);
        if (want.dtype() != got.dtype()) { // widened to f32
            float[] values = Elements.toFloats(got);
            float[] wanted = Elements.toFloats(want);
            for (int i = 0; i < wanted.length; i++) {
                assertEquals(wanted[i], values[i], what + "[" + i + "]"); // NaN equals NaN here, -0 is not 0
            }
        } else {
            assertArrayEquals(want.data().asSlice(0, want.bytes()).toArray(ValueLayout.JAVA_BYTE),
                    got.data().asSlice(0, got.bytes()).toArray(ValueLayout.JAVA_BYTE), what);
        }
    }
}
