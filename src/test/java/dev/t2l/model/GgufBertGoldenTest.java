package dev.t2l.model;

import static dev.t2l.Golden.assertClose;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.EachBackend;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.io.Gguf;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** BERT as GGUF, f32 and q8_0, against the Python peer on the same (dequantised) weights. */
public class GgufBertGoldenTest {

    @TestFactory
    Stream<DynamicTest> gguf() {
        return EachBackend.of("gguf_bert", GgufBertGoldenTest::run);
    }

    /** The types that a case has files of: {@code q8_0} for model-q8_0.gguf. */
    public static List<String> kinds(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            List<String> kinds = files.map(p -> p.getFileName().toString()).filter(name -> name.matches("model-.*\\.gguf"))
                    .map(name -> name.substring("model-".length(), name.length() - ".gguf".length())).sorted().toList();
            assertFalse(kinds.isEmpty(), "no model-*.gguf in " + folder);
            return kinds;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void run(Path folder, Backend backend) {
        JsonNode about = Golden.description(folder);
        double rtol = about.get("rtol").asDouble();
        double atol = about.get("atol").asDouble();
        int texts = about.get("texts").size();
        try (SafeTensors expectations = SafeTensors.open(folder.resolve("expected.safetensors"))) {
            Weights expected = expectations.weights();
            int[][] ids = IntStream.range(0, texts).mapToObj(i -> DecoderGoldenTest.ids(expected.get(i + ".ids"))[0]).toArray(int[][]::new);
            for (String kind : kinds(folder)) {
                Path path = folder.resolve("model-" + kind + ".gguf");
                Pooling pooling;
                try (Gguf file = Gguf.open(path)) {
                    pooling = GgufBert.pooling(file).orElseThrow();
                }
                assertEquals(about.get("pooling").asText(), pooling.name().toLowerCase(Locale.ROOT));
                try (var embedder = new PooledEncoder(backend, Encoder.load(path, backend), pooling)) {
                    Tensor out = backend.place(Tensor.ofFloats(new float[texts * embedder.width()], texts, embedder.width()));
                    embedder.embed(ids, out);
                    for (int i = 0; i < texts; i++) {
                        assertClose(i + "." + kind + ".pooled", expected.get(i + "." + kind + ".pooled").toFloats(), Teacher.floats(backend, out.get(i)), rtol, atol);
                        if (expected.has(i + "." + kind + ".last_hidden")) {
                            TokenBatch batch = TokenBatch.of(ids[i]);
                            try (EncoderWorkspace space = embedder.encoder().workspace(batch.rows(), 1)) {
                                assertClose(i + "." + kind + ".last_hidden", expected.get(i + "." + kind + ".last_hidden").toFloats(),
                                        Teacher.floats(backend, embedder.encoder().forward(batch, space)), rtol, atol);
                            }
                        }
                    }
                }
            }
        }
    }
}
