package dev.t2l.model;

import static dev.t2l.Golden.assertClose;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.EachBackend;
import dev.t2l.Golden;
import dev.t2l.Models;
import dev.t2l.backend.Backend;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.Weights;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** The real SmolLM2-135M-Instruct, Q4_1, against transformers on its dequantised weights. */
@Tag("models")
class SmolLm2GoldenTest {

    @TestFactory
    Stream<DynamicTest> smollm2() {
        return EachBackend.of("smollm2", SmolLm2GoldenTest::run);
    }

    private static void run(Path folder, Backend backend) {
        JsonNode about = Golden.description(folder);
        double rtol = about.get("rtol").asDouble();
        double atol = about.get("atol").asDouble();
        Path file = Models.require("SmolLM2-135M-Instruct", about.get("file").asText());
        try (SafeTensors golden = SafeTensors.open(folder.resolve("expected.safetensors")); DecoderFile model = DecoderFile.open(file, backend)) {
            Weights expected = golden.weights();
            var decoder = new Decoder(backend, model.config(), model.weights());
            boolean slow = backend.name().equals("java"); // seconds a prompt, a quarter of one a step
            int prompts = slow ? 2 : Integer.MAX_VALUE;
            for (int i = 0; i < prompts && expected.has("p" + i + ".ids"); i++) {
                int[] all = assertPrompt(decoder, expected, "p" + i + ".", rtol, atol);
                if (i == 0 && !slow) {
                    DecoderGoldenTest.assertGreedy(decoder, all, DecoderGoldenTest.ids(expected.get("p0.ids"))[0].length, rtol, atol);
                }
            }
        }
    }

    /** Feeds prompt and expected text in one pass: the logits of every step are those of the expected 20 best ids. */
    private static int[] assertPrompt(Decoder decoder, Weights expected, String p, double rtol, double atol) {
        int[] prompt = DecoderGoldenTest.ids(expected.get(p + "ids"))[0];
        int[] greedy = DecoderGoldenTest.ids(expected.get(p + "greedy"))[0];
        int[][] best = DecoderGoldenTest.ids(expected.get(p + "top20"));
        float[] wanted = expected.get(p + "top20_logits").toFloats();
        int[] all = Arrays.copyOf(prompt, prompt.length + greedy.length - 1);
        System.arraycopy(greedy, 0, all, prompt.length, greedy.length - 1);

        int vocabulary = decoder.config().vocabulary();
        float[] logits = Teacher.forced(decoder, new int[][] {all}, null).logits();
        int first = (prompt.length - 1) * vocabulary;
        assertClose(p + "last_logits", expected.get(p + "last_logits").toFloats(), Arrays.copyOfRange(logits, first, first + vocabulary), rtol, atol);
        float[] got = new float[wanted.length];
        for (int step = 0; step < best.length; step++) {
            for (int j = 0; j < best[step].length; j++) {
                got[step * best[step].length + j] = logits[first + step * vocabulary + best[step][j]];
            }
        }
        assertClose(p + "top20_logits", wanted, got, rtol, atol);
        return all;
    }
}
