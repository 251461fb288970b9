package dev.t2l.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.Golden;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Adapters that PEFT wrote: the scale that PEFT applies to each module, and what this project writes of them. */
class PeftAdapterGoldenTest {
    @TempDir
    Path folder;

    @TestFactory
    Stream<DynamicTest> scalesAreThoseOfPeft() {
        return Golden.cases("adapters").stream().map(c -> DynamicTest.dynamicTest(c.getFileName().toString(), () -> {
            Map<String, Float> wanted = new HashMap<>();
            for (Map.Entry<String, JsonNode> e : Golden.description(c).get("scaling").properties()) {
                wanted.put(e.getKey(), (float) e.getValue().asDouble());
            }
            Map<String, Float> got = new HashMap<>();
            PeftAdapter.read(c.resolve("adapter")).weights().pairs().forEach((site, pair) -> got.put(PeftAdapter.module(site), pair.scale()));
            assertEquals(wanted, got);
        }));
    }

    @TestFactory
    Stream<DynamicTest> whatIsWrittenReadsTheSame() {
        return Stream.of("adapters", "decoders", "gguf", "hypernet").flatMap(f -> Golden.cases(f).stream()).flatMap(c -> Stream.of("adapter", "adapter_peft", "expected_adapter")
                .map(c::resolve).filter(Files::isDirectory)).map(c -> DynamicTest.dynamicTest(c.getParent().getFileName().toString(), () -> {
                    PeftAdapter read = PeftAdapter.read(c);
                    Path same = folder.resolve("same");
                    PeftAdapter.write(same, read.weights(), read.config(), DType.F32);
                    PeftAdapter again = PeftAdapter.read(same);
                    assertEquals(read.config(), again.config());
                    assertSame(read.weights(), again.weights());
                    for (boolean rsLora : new boolean[] {true, false}) {
                        Path described = folder.resolve("described" + rsLora);
                        PeftAdapter.write(described, read.weights(), PeftConfigs.describing(read.weights(), "base", rsLora), DType.F32);
                        assertSame(read.weights(), PeftAdapter.read(described).weights());
                    }
                }));
    }

    static void assertSame(LoraWeights want, LoraWeights got) {
        assertEquals(want.pairs().keySet(), got.pairs().keySet());
        want.pairs().forEach((site, pair) -> {
            assertEquals(pair.scale(), got.pairs().get(site).scale(), site.toString());
            assertArrayEquals(pair.a().toFloats(), got.pairs().get(site).a().toFloats(), site.toString());
            assertArrayEquals(pair.b().toFloats(), got.pairs().get(site).b().toFloats(), site.toString());
        });
    }
}
