package dev.t2l;

import static dev.t2l.Golden.assertClose;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.backend.Backend;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Weights;
import java.nio.file.Files;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Description in, adapter out, through the front door. */
class EndToEndGoldenTest {

    @TestFactory
    Stream<DynamicTest> endToEnd() {
        return EachBackend.of("end_to_end", EndToEndGoldenTest::run);
    }

    private static void run(Path folder, Backend backend) {
        JsonNode about = Golden.description(folder);
        List<String> descriptions = new ArrayList<>();
        about.get("descriptions").forEach(d -> descriptions.add(d.asText()));
        Path named = folder.resolve(about.get("encoder").asText());
        try (SafeTensors golden = SafeTensors.open(folder.resolve("expected.safetensors"));
                LanguageModel base = LanguageModel.load(folder.resolve("base"), backend);
                TextEncoder encoder = Files.isDirectory(named) ? TextEncoder.load(named, backend) : null;
                TextToLora t2l = encoder == null ? TextToLora.load(folder, base) : TextToLora.load(folder, base, encoder)) {
            List<Adapter> adapters = t2l.generate(descriptions);
            int compared = 0;
            for (int i = 0; i < adapters.size(); i++) {
                compared += assertAdapter(golden.weights(), "lora" + i + ".base_model.model.model.", adapters.get(i), about);
                adapters.get(i).close();
            }
            assertEquals(golden.weights().tensors().keySet().stream().filter(name -> name.endsWith("lora_A.weight")).count(), compared);
        }
    }

    /** Compares all pairs that the golden file has; how many these were. */
    static int assertAdapter(Weights golden, String prefix, Adapter adapter, JsonNode tolerance) {
        double rtol = tolerance.get("rtol").asDouble();
        double atol = tolerance.get("atol").asDouble();
        int compared = 0;
        for (var e : adapter.onHost(Arena.ofAuto()).pairs().entrySet()) {
            LoraWeights.Site site = e.getKey();
            String name = prefix + site + ".lora_";
            if (golden.has(name + "A.weight")) {
                assertClose(name + "A", golden.get(name + "A.weight").toFloats(), e.getValue().a().toFloats(), rtol, atol);
                assertClose(name + "B", golden.get(name + "B.weight").toFloats(), e.getValue().b().toFloats(), rtol, atol);
                compared++;
            }
        }
        return compared;
    }
}
