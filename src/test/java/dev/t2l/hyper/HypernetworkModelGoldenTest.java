package dev.t2l.hyper;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.EachBackend;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The trained checkpoint for SmolLM2: adapters from the reference's embeddings of real descriptions. */
@Tag("models")
class HypernetworkModelGoldenTest {

    private static Path checkpoint() {
        Path folder = Golden.models().resolve("t2l-smollm2");
        if (!Files.isDirectory(folder)) {
            String reason = "no checkpoint at " + folder.toAbsolutePath();
            if (EachBackend.required("models")) {
                fail(reason);
            }
            abort(reason);
        }
        return folder;
    }

    @Test
    void counts() {
        try (HyperCheckpoint checkpoint = HyperCheckpoint.load(checkpoint())) {
            assertEquals(8_630_208, checkpoint.parameters());
            assertEquals(95, checkpoint.describe().get("training tasks"));
        }
    }

    @TestFactory
    Stream<DynamicTest> realDescriptions() {
        return EachBackend.of("t2l_smollm2", HypernetworkModelGoldenTest::generated);
    }

    private static void generated(Path folder, Backend backend) {
        JsonNode about = Golden.description(folder);
        int cases = about.get("cases").size();
        try (SafeTensors expected = SafeTensors.open(folder.resolve("expected.safetensors"));
                SafeTensors first = SafeTensors.open(folder.resolve("expected_adapter/adapter_model.safetensors"));
                HyperCheckpoint checkpoint = HyperCheckpoint.load(checkpoint());
                Hypernetwork network = checkpoint.network(backend);
                Weights batch = new TensorTable().add("embeddings", DType.F32, cases, checkpoint.config().architecture().embedding())
                        .carve(backend::allocate)) {
            float scale = (float) about.get("scale").asDouble();
            Tensor embeddings = batch.get("embeddings");
            for (int i = 0; i < cases; i++) {
                backend.upload(embeddings.slice(i, i + 1), expected.weights().get(i + ".embedding").data());
            }
            List<GeneratedLora> adapters = network.generate(embeddings);
            HyperFamily.assertClose("first", HyperFamily.adapter(first.weights(), "", scale), adapters.getFirst().lora(), backend, about);
            for (int i = 0; i < cases; i++) {
                LoraWeights want = HyperFamily.adapter(expected.weights(), i + ".", scale);
                for (Site site : want.pairs().keySet()) {
                    Pair got = adapters.get(i).lora().pairs().get(site);
                    HyperFamily.assertClose(i + " " + site, want.pairs().get(site), got, backend, about);
                }
            }
            adapters.forEach(GeneratedLora::close);
        }
    }
}
