package dev.t2l.model;

import static dev.t2l.Golden.assertClose;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.EachBackend;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Decoders of Hugging Face folders against transformers: logits of every position, final hidden states, greedy text. */
class DecoderGoldenTest {

    @TestFactory
    Stream<DynamicTest> decoders() {
        return EachBackend.of("decoders", DecoderGoldenTest::run);
    }

    private static void run(Path folder, Backend backend) {
        JsonNode about = Golden.description(folder);
        double rtol = about.get("rtol").asDouble();
        double atol = about.get("atol").asDouble();
        try (SafeTensors file = SafeTensors.open(folder.resolve("expected.safetensors"));
                DecoderFile model = DecoderFile.open(folder.resolve("model"), backend)) {
            Weights expected = file.weights();
            var decoder = new Decoder(backend, model.config(), model.weights());
            var got = Teacher.forced(decoder, ids(expected.get("input_ids")), null);
            assertClose("last_hidden", expected.get("last_hidden").toFloats(), got.hidden(), rtol, atol);
            assertClose("logits", expected.get("logits").toFloats(), got.logits(), rtol, atol);
            for (int i = 0; i < about.get("greedy_prompt_lengths").size(); i++) {
                int[] want = ids(expected.get("greedy" + i))[0];
                assertGreedy(decoder, want, about.get("greedy_prompt_lengths").get(i).asInt(), rtol, atol);
            }
        }
    }

    /** Decodes step by step; where the ids part, the two logits must be closer than twice the tolerance. */
    static void assertGreedy(Decoder decoder, int[] want, int promptLength, double rtol, double atol) {
        int vocabulary = decoder.config().vocabulary();
        try (var space = new Workspace(decoder.backend(), decoder.config(), promptLength, 1);
                var cache = new KvCache(decoder.backend(), decoder.config(), 1, want.length)) {
            for (int t = promptLength; t < want.length; t++) {
                space.clear();
                for (int p = t == promptLength ? 0 : t - 1; p < t; p++) {
                    space.add(cache, 0, p, want[p], p == t - 1);
                }
                decoder.forward(space, cache, null);
                decoder.logits(space);
                float[] logits = Teacher.floats(decoder.backend(), space.logits());
                int best = 0;
                for (int v = 1; v < vocabulary; v++) {
                    best = logits[v] > logits[best] ? v : best;
                }
                if (best != want[t]) {
                    double gap = logits[best] - logits[want[t]];
                    assertTrue(gap < 2 * (atol + rtol * Math.abs(logits[best])), "step " + t + ": " + best + " beats " + want[t] + " by " + gap);
                    return;
                }
            }
        }
    }

    /** Rows of an i64 matrix (or one row of a vector). */
    static int[][] ids(Tensor tensor) {
        int cols = (int) tensor.cols();
        int[][] rows = new int[(int) tensor.rows()][cols];
        for (int r = 0; r < rows.length; r++) {
            for (int c = 0; c < cols; c++) {
                rows[r][c] = (int) tensor.data().get(java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED, 8L * ((long) r * cols + c));
            }
        }
        return rows;
    }
}
