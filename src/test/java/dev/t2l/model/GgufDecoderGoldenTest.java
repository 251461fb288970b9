package dev.t2l.model;

import static dev.t2l.Golden.assertClose;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.EachBackend;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.Weights;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Decoders of GGUF files, f32 and f16, against transformers. */
class GgufDecoderGoldenTest {

    @TestFactory
    Stream<DynamicTest> gguf() {
        return EachBackend.of("gguf", GgufDecoderGoldenTest::run);
    }

    private static void run(Path folder, Backend backend) {
        JsonNode about = Golden.description(folder);
        double rtol = about.get("rtol").asDouble();
        double atol = about.get("atol").asDouble();
        try (SafeTensors golden = SafeTensors.open(folder.resolve("expected.safetensors"))) {
            Weights expected = golden.weights();
            for (String kind : List.of("f32", "f16")) {
                Path file = folder.resolve("model-" + kind + ".gguf");
                try (DecoderFile model = DecoderFile.open(file, backend)) {
                    var decoder = new Decoder(backend, model.config(), model.weights());
                    float[] logits = Teacher.forced(decoder, DecoderGoldenTest.ids(expected.get("input_ids")), null).logits();
                    assertClose("logits " + kind, expected.get("logits_" + kind).toFloats(), logits, rtol, atol);
                }
            }
        }
    }
}
