package dev.t2l.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.t2l.Golden;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** adapter.gguf and adapter_peft of a case are the same adapter. */
class GgufAdapterGoldenTest {
    @TempDir
    Path folder;

    @TestFactory
    Stream<DynamicTest> readsWhatPeftReads() {
        return Golden.cases("gguf").stream().map(c -> DynamicTest.dynamicTest(c.getFileName().toString(), () -> {
            LoraWeights want = PeftAdapter.read(c.resolve("adapter_peft")).weights();
            assertClose(want, GgufAdapter.read(c.resolve("adapter.gguf"), heads(c)).weights());
        }));
    }

    @TestFactory
    Stream<DynamicTest> writesWhatTheConverterWrites() {
        return Golden.cases("gguf").stream().map(c -> DynamicTest.dynamicTest(c.getFileName().toString(), () -> {
            Path written = folder.resolve("adapter.gguf");
            try (var want = Gguf.open(c.resolve("adapter.gguf"))) {
                new GgufAdapter(want.string("general.architecture"), PeftAdapter.read(c.resolve("adapter_peft")).weights())
                        .write(written, want.string("general.name"), heads(c), DType.F32);
                try (var got = Gguf.open(written)) {
                    assertEquals(want.real("adapter.lora.alpha"), got.real("adapter.lora.alpha"), 1e-6);
                    want.weights().tensors().forEach((name, tensor) -> {
                        assertArrayEquals(tensor.shape(), got.weights().get(name).shape());
                        assertArrayEquals(tensor.toFloats(), got.weights().get(name).toFloats(), name);
                    });
                    assertEquals(want.weights().tensors().keySet(), got.weights().tensors().keySet());
                    want.values().forEach((key, value) -> assertEquals(value.type(), got.values().get(key).type(), key));
                }
            }
        }));
    }

    private static GgufAdapter.Heads heads(Path c) {
        try (var model = Gguf.open(c.resolve("model-f32.gguf"))) {
            String prefix = model.string("general.architecture") + ".attention.";
            return new GgufAdapter.Heads((int) model.integer(prefix + "head_count"), (int) model.integer(prefix + "head_count_kv"));
        }
    }

    static void assertClose(LoraWeights want, LoraWeights got) {
        assertEquals(want.pairs().keySet(), got.pairs().keySet());
        want.pairs().forEach((site, pair) -> {
            assertEquals(pair.scale(), got.pairs().get(site).scale(), 1e-6 * pair.scale(), site.toString());
            assertArrayEquals(pair.a().toFloats(), got.pairs().get(site).a().toFloats(), site.toString());
            assertArrayEquals(pair.b().toFloats(), got.pairs().get(site).b().toFloats(), site.toString());
        });
    }
}
