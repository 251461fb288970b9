package dev.t2l.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.Golden;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class TorchArchiveGoldenTest {
    private final Path folder = Golden.root().resolve("formats/torch_pt");

    @TestFactory
    Stream<DynamicTest> filesAreReadOrRefused() {
        return FormatFamily.files("torch_pt").map(file -> DynamicTest.dynamicTest(file.name(), () -> file.check(path -> TorchArchive.open(path).close())));
    }

    @TestFactory
    Stream<DynamicTest> tensorsAreThoseThatWereSaved() {
        return FormatFamily.files("torch_pt").filter(f -> f.expect().equals("accept")).map(file -> DynamicTest.dynamicTest(file.name(), () -> {
            String prefix = file.path().getFileName().toString().replace(".pt", "") + ".";
            try (var expected = SafeTensors.open(folder.resolve("expected.safetensors")); var got = TorchArchive.open(file.path())) {
                int compared = 0;
                for (var e : expected.weights().tensors().entrySet()) {
                    if (e.getKey().startsWith(prefix)) {
                        SafeTensorsGoldenTest.assertSame(e.getKey(), e.getValue(), got.weights().get(e.getKey().substring(prefix.length())));
                        compared++;
                    }
                }
                assertEquals(compared, got.weights().tensors().size());
                JsonNode keys = Golden.json(folder.resolve("expected.json")).get(file.path().getFileName().toString()).path("keys");
                if (keys.isArray()) {
                    List<String> wanted = new ArrayList<>();
                    keys.forEach(k -> wanted.add(k.asText()));
                    assertEquals(wanted, List.copyOf(((Map<?, ?>) got.root()).keySet()));
                }
            }
        }));
    }

    @Test
    void plainValuesAreThoseThatWereSaved() {
        assumeTrue(Files.exists(folder.resolve("case.json")), "no formats/torch_pt among the fixtures");
        JsonNode about = Golden.description(folder);
        plainValues("nested.pt", about.get("nested_plain"));
        plainValues("long_int.pt", about.get("long_int"));
    }

    private void plainValues(String file, JsonNode wanted) {
        try (var got = TorchArchive.open(folder.resolve(file))) {
            var root = (Map<?, ?>) got.root();
            for (var e : wanted.properties()) {
                assertTrue(root.containsKey(e.getKey()), e.getKey());
                assertEquals(e.getValue().asText(), root.get(e.getKey()).toString(), e.getKey());
            }
        }
    }

    @TestFactory
    Stream<DynamicTest> hypernetworkCheckpoints() {
        return Golden.cases("hypernet").stream().map(c -> DynamicTest.dynamicTest(c.getFileName().toString(), () -> {
            try (var archive = TorchArchive.open(c.resolve("hypermod.pt"))) {
                assertTrue(archive.weights().has("task_encoder.mlp.0.weight"));
                assertEquals(archive.weights().tensors().keySet(), ((Map<?, ?>) archive.root()).keySet());
            }
        }));
    }
}
