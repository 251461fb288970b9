package dev.t2l;

import static dev.t2l.Golden.assertClose;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.backend.Backend;
import dev.t2l.io.SafeTensors;
import dev.t2l.model.Teacher;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** The real run, made by the Python reference on the same files: embedding, generated adapter, greedy answers with and without it. */
@Tag("models")
class T2lSmolLm2GoldenTest {

    @TestFactory
    Stream<DynamicTest> t2lSmollm2() {
        return EachBackend.of("t2l_smollm2", T2lSmolLm2GoldenTest::run);
    }

    private static void run(Path folder, Backend backend) {
        JsonNode about = Golden.description(folder);
        Path model = Models.require("SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct.Q4_1.gguf");
        try (SafeTensors golden = SafeTensors.open(folder.resolve("expected.safetensors"));
                SafeTensors whole = SafeTensors.open(folder.resolve("expected_adapter/adapter_model.safetensors"));
                LanguageModel lm = LanguageModel.load(model, backend);
                TextEncoder encoder = TextEncoder.load(Models.require("all-MiniLM-L6-v2"), backend);
                TextToLora t2l = TextToLora.load(Models.require("t2l-smollm2"), lm, encoder)) {
            JsonNode cases = about.get("cases");
            List<String> descriptions = IntStream.range(0, cases.size()).mapToObj(c -> cases.get(c).get("description").asText()).toList();
            float[] embeddings = EachBackend.floats(backend, encoder.taskEmbeddings(descriptions));
            List<Adapter> adapters = t2l.generate(descriptions);
            assertTrue(EndToEndGoldenTest.assertAdapter(whole.weights(), "base_model.model.model.", adapters.getFirst(), about) > 0);
            for (int c = 0; c < cases.size(); c++) {
                float[] want = golden.weights().get(c + ".embedding").toFloats();
                assertClose(c + ".embedding", want, Arrays.copyOfRange(embeddings, c * want.length, (c + 1) * want.length),
                        about.get("rtol").asDouble(), about.get("atol").asDouble());
                assertTrue(EndToEndGoldenTest.assertAdapter(golden.weights(), c + ".base_model.model.model.", adapters.get(c), about) > 0);
                // plain Java takes seconds a prompt: one prompt in all
                int prompts = !backend.name().equals("java") ? cases.get(c).get("prompts").size() : c == 0 ? 1 : 0;
                for (int p = 0; p < prompts; p++) {
                    String input = cases.get(c).get("prompts").get(p).get("input").asText();
                    assertAnswers(lm, golden.weights(), c + "." + p + ".", input, adapters.get(c), about.get("logits_atol").asDouble());
                }
                adapters.get(c).close();
            }
        }
    }

    private static void assertAnswers(LanguageModel lm, Weights golden, String name, String input, Adapter adapter, double atol) {
        int[] prompt = ids(golden.get(name + "input_ids"));
        assertEquals(Arrays.toString(prompt), Arrays.toString(lm.encode(Chat.user(input))), "chat template and tokens");
        assertAnswer(lm, golden, name + "base.", prompt, input, Adaptation.none(), atol);
        assertAnswer(lm, golden, name + "adapted.", prompt, input, adapter, atol);
    }

    private static void assertAnswer(LanguageModel lm, Weights golden, String name, int[] prompt, String input, Adaptation adaptation, double atol) {
        if (golden.has(name + "logits")) {
            assertClose(name + "logits", golden.get(name + "logits").toFloats(), Teacher.lastLogits(lm.decoder(), prompt, adaptation.entries()), 0, atol);
        }
        int[] want = ids(golden.get(name + "greedy"));
        int[] got = lm.generate(Request.of(Chat.user(input), adaptation, Sampling.greedy().withMaxTokens(want.length))).tokens();
        int parting = Arrays.mismatch(want, got);
        if (parting >= 0 && parting < Math.min(want.length, got.length)) {
            int[] shared = Arrays.copyOf(prompt, prompt.length + parting);
            System.arraycopy(want, 0, shared, prompt.length, parting);
            float[] logits = Teacher.lastLogits(lm.decoder(), shared, adaptation.entries());
            assertTrue(Math.abs(logits[want[parting]] - logits[got[parting]]) < atol, name + "greedy: " + Arrays.toString(want) + " and " + Arrays.toString(got));
        } else {
            assertEquals(want.length, got.length, name + "greedy");
        }
    }

    private static int[] ids(Tensor tensor) {
        return Arrays.stream(tensor.data().toArray(ValueLayout.JAVA_LONG_UNALIGNED)).mapToInt(Math::toIntExact).toArray();
    }
}
