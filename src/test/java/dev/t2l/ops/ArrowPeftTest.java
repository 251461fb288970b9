package dev.t2l.ops;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.EachBackend;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What PEFT's ArrowLoraLinearLayer adds to a projection's output, for some tokens and adapters of different scales. */
class ArrowPeftTest {
    private static final Path CASE = Path.of("src/test/golden/arrow/peft");
    private static final Site SITE = new Site(0, Projection.Q);

    static List<String> backends() {
        return EachBackend.available();
    }

    private static void assertSameUpToSign(JsonNode about, float[] want, float[] got) {
        double dot = 0;
        for (int i = 0; i < want.length; i++) {
            dot += want[i] * got[i];
        }
        float[] turned = got.clone();
        for (int i = 0; i < got.length && dot < 0; i++) {
            turned[i] = -got[i];
        }
        Golden.assertClose("prototype", want, turned, about.get("rtol").asDouble(), about.get("atol").asDouble());
    }

    @ParameterizedTest
    @MethodSource("backends")
    void addsWhatPeftAdds(String name) throws IOException {
        JsonNode about = new ObjectMapper().readTree(CASE.resolve("case.json").toFile());
        try (Backend backend = Backend.open(name); SafeTensors file = SafeTensors.open(CASE.resolve("tensors.safetensors")); Arena arena = Arena.ofConfined()) {
            var choice = new LoraBatch.Choice(about.get("top_k").asInt(), (float) about.get("temperature").asDouble());
            float[] prototypes = file.weights().get("prototypes").toFloats();
            List<LoraBatch.Entry> library = new ArrayList<>();
            for (int e = 0; e < about.get("adapters").size(); e++) {
                String adapter = about.get("adapters").get(e).asText();
                var pair = new Pair(copy(file, adapter + ".lora_A"), copy(file, adapter + ".lora_B"), (float) about.get("scales").get(e).asDouble());
                Tensor prototype = ArrowPrototype.of(pair);
                int in = (int) pair.in();
                assertSameUpToSign(about, Arrays.copyOfRange(prototypes, e * in, (e + 1) * in), prototype.toFloats());
                library.add(new LoraBatch.Entry(new LoraWeights(Map.of(SITE, pair)), new LoraBatch.Routed(1, Map.of(SITE, prototype), choice)));
            }
            Tensor want = file.weights().get("delta");
            Tensor x = copy(file, "x");
            try (var batch = new LoraBatch(backend, Collections.nCopies((int) x.rows(), library), _ -> 0); Memory out = backend.allocate(want.bytes()); Memory in = backend.allocate(x.bytes())) {
                Tensor y = Tensor.of(DType.F32, out.segment(), want.shape());
                Tensor placed = Tensor.of(DType.F32, in.segment(), x.shape());
                backend.upload(placed, x.data());
                LoraLinear.add(backend, y, placed, batch.at(0, Projection.Q));
                Golden.assertClose("delta", want.toFloats(), backend.host(arena, y).toFloats(), about.get("rtol").asDouble(), about.get("atol").asDouble());
            }
        }
    }

    private static Tensor copy(SafeTensors file, String name) {
        Tensor tensor = file.weights().get(name);
        return Tensor.ofFloats(tensor.toFloats(), tensor.shape());
    }
}
