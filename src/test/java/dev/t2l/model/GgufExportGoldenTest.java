package dev.t2l.model;

import static dev.t2l.Golden.assertClose;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.io.Gguf;
import dev.t2l.io.GgufAdapter;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.SafeTensors;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Models written as GGUF: they compute what the originals compute, and are what the peers wrote, bit for bit. */
class GgufExportGoldenTest {
    @TempDir
    Path folder;

    private interface Body {
        void run(Path folder, Backend backend) throws Exception;
    }

    private static Stream<DynamicTest> of(String family, Body body) {
        return Golden.cases(family).stream().map(folder -> DynamicTest.dynamicTest(folder.getFileName().toString(), () -> {
            try (Backend backend = Backend.open("java")) {
                body.run(folder, backend);
            }
        }));
    }

    private Path export(Path source, FileType type, LoraWeights... adapters) {
        Path written = folder.resolve("written.gguf");
        List<LoraBatch.Entry> entries = Arrays.stream(adapters).map(a -> new LoraBatch.Entry(a, LoraBatch.Weight.constant(1))).toList();
        try (var export = GgufExport.open(source, entries)) {
            export.as(type).write(written);
        }
        return written;
    }

    private static float[] logits(Path model, int[][] ids, Backend backend) {
        try (DecoderFile file = DecoderFile.open(model, backend)) {
            return Teacher.forced(new Decoder(backend, file.config(), file.weights()), ids, null).logits();
        }
    }

    /** A folder as f32 gives the same logits; with its adapter added, the adapted ones. */
    @TestFactory
    Stream<DynamicTest> decoders() {
        return of("decoders", (c, backend) -> {
            JsonNode about = Golden.description(c);
            try (SafeTensors file = SafeTensors.open(c.resolve("expected.safetensors"))) {
                Weights expected = file.weights();
                int[][] ids = DecoderGoldenTest.ids(expected.get("input_ids"));
                float[] own = logits(c.resolve("model"), ids, backend);
                assertClose("logits", own, logits(export(c.resolve("model"), FileType.F32), ids, backend), 1e-5, 1e-5);
                Path merged = export(c.resolve("model"), FileType.F32, PeftAdapter.read(c.resolve("adapter")).weights());
                assertClose("adapter_logits", expected.get("adapter_logits").toFloats(), logits(merged, ids, backend),
                        about.get("rtol").asDouble(), about.get("atol").asDouble());
            }
        });
    }

    /** Without a type, matrices keep theirs. */
    @TestFactory
    Stream<DynamicTest> decodersKeepTheirTypes() {
        return of("decoders", (c, backend) -> {
            try (Gguf written = Gguf.open(export(c.resolve("model"), null)); SafeTensors source = SafeTensors.open(c.resolve("model"))) {
                DType dtype = source.weights().get("model.embed_tokens.weight").dtype();
                written.weights().tensors().forEach((name, tensor) -> assertEquals(tensor.rank() < 2 ? DType.F32 : dtype, tensor.dtype(), name));
                assertEquals(dtype == DType.BF16 ? 32 : dtype == DType.F16 ? 1 : 0, written.integer("general.file_type"));
            }
        });
    }

    /** The f32 file as f16 is the peer's f16 file: keys, order, bits. As f32 it is itself. */
    @TestFactory
    Stream<DynamicTest> gguf() {
        return of("gguf", (c, backend) -> {
            assertSame(c.resolve("model-f32.gguf"), export(c.resolve("model-f32.gguf"), FileType.F32));
            assertSame(c.resolve("model-f16.gguf"), export(c.resolve("model-f32.gguf"), FileType.F16));
            assertSame(c.resolve("model-f16.gguf"), export(c.resolve("model-f16.gguf"), null));
        });
    }

    /** Adapters are added to the rows in the file's order. */
    @TestFactory
    Stream<DynamicTest> ggufWithAdapter() {
        return of("gguf", (c, backend) -> {
            JsonNode about = Golden.description(c);
            try (SafeTensors file = SafeTensors.open(c.resolve("expected.safetensors"))) {
                Path base = c.resolve("model-f32.gguf");
                var spec = DecoderFile.config(base).attention().spec();
                LoraWeights adapter = GgufAdapter.read(c.resolve("adapter.gguf"), new GgufAdapter.Heads(spec.heads(), spec.kvHeads())).weights();
                float[] got = logits(export(base, null, adapter), DecoderGoldenTest.ids(file.weights().get("input_ids")), backend);
                assertClose("adapter_logits_f32", file.weights().get("adapter_logits_f32").toFloats(), got, about.get("rtol").asDouble(), about.get("atol").asDouble());
            }
        });
    }

    /** The f32 file as q8_0 is the peer's q8_0 file; where that is all there is, it stays itself. */
    @TestFactory
    Stream<DynamicTest> bertGguf() {
        return of("gguf_bert", (c, backend) -> {
            for (String kind : GgufBertGoldenTest.kinds(c)) {
                FileType type = FileType.valueOf(kind.toUpperCase(Locale.ROOT));
                Path peer = c.resolve("model-" + kind + ".gguf");
                Path exact = c.resolve("model-f32.gguf");
                assertSame(peer, export(Files.exists(exact) ? exact : peer, type));
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> bertFolders() {
        return of("encoders", (c, backend) -> {
            if (!Golden.json(c.resolve("model").resolve("config.json")).path("model_type").asText().equals("bert")) {
                return;
            }
            try (SafeTensors file = SafeTensors.open(c.resolve("expected.safetensors"));
                    Encoder own = Encoder.load(c.resolve("model"), backend);
                    Encoder written = Encoder.load(export(c.resolve("model"), FileType.F32), backend)) {
                int[][] ids = DecoderGoldenTest.ids(file.weights().get("input_ids"));
                TokenBatch batch = TokenBatch.of(ids);
                try (EncoderWorkspace a = own.workspace(batch.rows(), ids.length); EncoderWorkspace b = written.workspace(batch.rows(), ids.length)) {
                    assertArrayEquals(Teacher.floats(backend, own.forward(batch, a)), Teacher.floats(backend, written.forward(batch, b)));
                }
            }
        });
    }

    private static void assertSame(Path want, Path got) {
        try (Gguf wanted = Gguf.open(want); Gguf found = Gguf.open(got)) {
            var keys = new HashSet<>(found.values().keySet());
            keys.remove("general.quantization_version"); // some files lack it
            keys.add("general.quantization_version");
            var wantedKeys = new HashSet<>(wanted.values().keySet());
            wantedKeys.add("general.quantization_version");
            assertEquals(wantedKeys, keys);
            wanted.values().forEach((key, value) -> {
                assertEquals(value.type(), found.values().get(key).type(), key);
                assertEquals(text(value.value()), text(found.values().get(key).value()), key);
            });
            assertEquals(List.copyOf(wanted.weights().tensors().keySet()), List.copyOf(found.weights().tensors().keySet()));
            for (Map.Entry<String, Tensor> e : wanted.weights().tensors().entrySet()) {
                Tensor tensor = found.weights().get(e.getKey());
                assertEquals(e.getValue().toString(), tensor.toString(), e.getKey());
                assertArrayEquals(bytes(e.getValue()), bytes(tensor), e.getKey());
            }
        }
    }

    private static byte[] bytes(Tensor tensor) {
        return tensor.data().asSlice(0, tensor.bytes()).toArray(ValueLayout.JAVA_BYTE);
    }

    private static String text(Object value) {
        return Arrays.deepToString(new Object[] {value});
    }
}
