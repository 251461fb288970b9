package dev.t2l.model;

import static dev.t2l.Golden.assertClose;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.EachBackend;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.io.GgufAdapter;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.SafeTensors;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Adapters on decoders, against PEFT: folders on Hugging Face models, GGUF LoRA files and folders on GGUF models. */
class AdapterGoldenTest {

    @TestFactory
    Stream<DynamicTest> adapters() {
        return EachBackend.of("adapters", (folder, backend) -> {
            try (DecoderFile model = DecoderFile.open(folder.resolve("model"), backend)) {
                var decoder = new Decoder(backend, model.config(), model.weights());
                assertLogits(folder, "base_logits", decoder, null);
                assertLogits(folder, "adapter_logits", decoder, PeftAdapter.read(folder.resolve("adapter")).weights());
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> decoders() {
        return EachBackend.of("decoders", (folder, backend) -> {
            try (DecoderFile model = DecoderFile.open(folder.resolve("model"), backend)) {
                var decoder = new Decoder(backend, model.config(), model.weights());
                LoraWeights adapter = PeftAdapter.read(folder.resolve("adapter")).weights();
                assertLogits(folder, "adapter_logits", decoder, adapter);
                assertMerging(folder, "adapter_logits", decoder, adapter);
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> gguf() {
        return EachBackend.of("gguf", (folder, backend) -> {
            try (DecoderFile model = DecoderFile.open(folder.resolve("model-f32.gguf"), backend)) {
                var decoder = new Decoder(backend, model.config(), model.weights());
                var spec = model.config().attention().spec();
                LoraWeights gguf = GgufAdapter.read(folder.resolve("adapter.gguf"), new GgufAdapter.Heads(spec.heads(), spec.kvHeads())).weights();
                assertLogits(folder, "adapter_logits_f32", decoder, gguf);
                assertLogits(folder, "adapter_logits_f32", decoder, PeftAdapter.read(folder.resolve("adapter_peft")).weights());
                assertMerging(folder, "adapter_logits_f32", decoder, gguf);
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> hypernet() {
        return EachBackend.of("hypernet", (folder, backend) -> {
            assumeTrue(Files.exists(folder.resolve("base")), "the small copies in this repository share one base model");
            try (DecoderFile model = DecoderFile.open(folder.resolve("base"), backend)) {
                var decoder = new Decoder(backend, model.config(), model.weights());
                assertLogits(folder, "base_logits", decoder, null);
                assertLogits(folder, "adapter_logits", decoder, PeftAdapter.read(folder.resolve("expected_adapter")).weights());
            }
        });
    }

    private static List<LoraBatch.Entry> weighing(LoraWeights adapter, float weight) {
        return List.of(new LoraBatch.Entry(adapter, LoraBatch.Weight.constant(weight)));
    }

    private static void assertLogits(Path folder, String name, Decoder decoder, LoraWeights adapter) {
        try (SafeTensors file = SafeTensors.open(folder.resolve("expected.safetensors"))) {
            Weights expected = file.weights();
            Tensor ids = expected.get("input_ids");
            if (adapter != null) {
                decoder.requireFits(adapter);
            }
            float[] got = Teacher.forced(decoder, DecoderGoldenTest.ids(ids), adapter == null ? null : weighing(adapter, 1)).logits();
            JsonNode about = Golden.description(folder);
            // the generated adapters of hypernet/ have a tolerance of their own, far below the rounding of logits
            double atol = Math.max(2e-4, about.get("atol").asDouble());
            assertClose(name, expected.get(name).toFloats(), got, about.get("rtol").asDouble(), atol);
        }
    }

    /** Merged weights give the adapted logits; scale 0 and the unmerged weights give the base's bits. */
    private static void assertMerging(Path folder, String name, Decoder decoder, LoraWeights adapter) {
        Backend backend = decoder.backend();
        try (MergedWeights merged = MergedWeights.of(decoder, weighing(adapter, 1)); SafeTensors file = SafeTensors.open(folder.resolve("expected.safetensors"))) {
            assertLogits(folder, name, new Decoder(backend, decoder.config(), merged.weights()), null);
            int[][] ids = DecoderGoldenTest.ids(file.weights().get("input_ids"));
            assertArrayEquals(Teacher.forced(decoder, ids, null).logits(), Teacher.forced(decoder, ids, weighing(adapter, 0)).logits(), "scale 0");
        }
    }
}
