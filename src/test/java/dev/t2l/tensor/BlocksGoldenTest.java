package dev.t2l.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Backends;
import dev.t2l.backend.HostTensors;
import dev.t2l.io.FormatException;
import dev.t2l.io.Gguf;
import dev.t2l.io.SafeTensors;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Every tensor type of GGUF files: its values, and products with them on every backend. */
class BlocksGoldenTest {

    @TestFactory
    Stream<DynamicTest> valuesAreThoseOfTheReference() {
        return Golden.cases("gguf_quants").stream().map(folder -> DynamicTest.dynamicTest(folder.getFileName().toString(), () -> {
            JsonNode about = Golden.description(folder);
            try (var gguf = open(folder, about); var expected = SafeTensors.open(folder.resolve("expected.safetensors"))) {
                if (gguf != null) {
                    for (String name : new String[] {"w", "bias"}) {
                        Tensor want = expected.weights().get(name);
                        assertArrayEquals(want.shape(), gguf.weights().get(name).shape());
                        Golden.assertClose(name, want.toFloats(), gguf.weights().get(name).toFloats(), about.get("rtol").asDouble(), about.get("atol").asDouble());
                    }
                }
            }
        }));
    }

    @TestFactory
    Stream<DynamicTest> productsOnEveryBackend() {
        return Backends.survey().stream().filter(Backends.Status::available).flatMap(status -> Golden.cases("gguf_quants").stream().map(folder ->
                DynamicTest.dynamicTest(status.name() + " " + folder.getFileName(), () -> product(folder, status.name()))));
    }

    private static void product(Path folder, String backendName) {
        JsonNode about = Golden.description(folder);
        try (var gguf = open(folder, about); var expected = SafeTensors.open(folder.resolve("expected.safetensors")); var backend = HostTensors.open(backendName)) {
            if (gguf == null) {
                return;
            }
            Tensor w = gguf.weights().get("w");
            float[] x = expected.weights().get("x").toFloats();
            float[] want = expected.weights().get("wx").toFloats();
            Tensor y = Tensor.ofFloats(new float[want.length], 1, want.length);
            backend.linear(y, Tensor.ofFloats(x, 1, x.length), backend.place(w), null);
            float[] values = expected.weights().get("w").toFloats();
            for (int row = 0; row < want.length; row++) {
                double sum = 0;
                for (int i = 0; i < x.length; i++) {
                    sum += Math.abs((double) values[row * x.length + i] * x[i]);
                }
                double atol = about.get("wx_atol_times_sum_abs").asDouble() * sum;
                Golden.assertClose("row " + row, new float[] {want[row]}, new float[] {y.getFloat(row)}, about.get("wx_rtol").asDouble(), atol);
            }
        }
    }

    /** The case's file; null if its type is an extra one that was refused by name. */
    private static Gguf open(Path folder, JsonNode about) {
        try {
            return Gguf.open(folder.resolve("tensor.gguf"));
        } catch (FormatException e) {
            assertFalse(about.get("required").asBoolean(), e.getMessage());
            assertTrue(e.getMessage().contains(about.get("type").asText()), e.getMessage());
            return null;
        }
    }
}
