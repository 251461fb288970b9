package dev.t2l.hyper;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.EachBackend;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Checkpoints as the Python reference writes them, against the adapters that it generates from the same task embeddings. */
class HypernetworkGoldenTest {

    @TestFactory
    Stream<DynamicTest> generatedAdapters() {
        return Stream.concat(EachBackend.of("hypernet", HypernetworkGoldenTest::generated), EachBackend.of("end_to_end", HypernetworkGoldenTest::generated));
    }

    @TestFactory
    Stream<DynamicTest> aDescriptionsBitsDoNotDependOnTheOthers() {
        return EachBackend.of("hypernet", HypernetworkGoldenTest::sameBitsAlone);
    }

    @TestFactory
    Stream<DynamicTest> rowsOfTheTypeEmbedding() {
        return EachBackend.of("hypernet", HypernetworkGoldenTest::rowOrder);
    }

    @TestFactory
    Stream<DynamicTest> checkpointsAsDescribed() {
        return EachBackend.of("hypernet", (folder, backend) -> described(folder));
    }

    @TestFactory
    Stream<DynamicTest> afterReconstructionTraining() {
        return EachBackend.of("train_recon", HypernetworkGoldenTest::reconstructed);
    }

    private static void generated(Path folder, Backend backend) {
        JsonNode about = Golden.description(folder);
        try (SafeTensors expected = SafeTensors.open(folder.resolve("expected.safetensors"));
                HyperCheckpoint checkpoint = HyperCheckpoint.load(folder);
                Hypernetwork network = checkpoint.network(backend)) {
            float scale = (float) about.path("scaling").asDouble(checkpoint.config().lora().scale());
            Tensor embeddings = expected.weights().get("task_embs");
            List<GeneratedLora> adapters = network.generate(backend.place(embeddings));
            assertEquals(embeddings.rows(), adapters.size());
            for (int i = 0; i < adapters.size(); i++) {
                String prefix = "lora" + i + ".";
                if (i == 0 || HyperFamily.has(expected.weights(), prefix)) {
                    LoraWeights want = HyperFamily.adapter(expected.weights(), prefix, scale);
                    HyperFamily.assertClose(prefix, want, adapters.get(i).lora(), backend, about);
                }
            }
            Path whole = folder.resolve("expected_adapter");
            if (Files.isDirectory(whole)) {
                PeftAdapter peft = PeftAdapter.read(whole);
                HyperFamily.assertClose("expected_adapter", peft.weights(), adapters.getFirst().lora(), backend, about);
            }
            adapters.forEach(GeneratedLora::close);
        }
    }

    private static void sameBitsAlone(Path folder, Backend backend) {
        try (SafeTensors expected = SafeTensors.open(folder.resolve("expected.safetensors"));
                HyperCheckpoint checkpoint = HyperCheckpoint.load(folder);
                Hypernetwork network = checkpoint.network(backend)) {
            Tensor embeddings = expected.weights().get("task_embs");
            List<GeneratedLora> together = network.generate(backend.place(embeddings));
            for (int i = 0; i < together.size(); i++) {
                Tensor one = embeddings.slice(i, i + 1);
                GeneratedLora alone = network.generate(backend.place(one)).getFirst();
                HyperFamily.assertSameBits(together.get(i).lora(), alone.lora(), backend);
                alone.close();
                together.get(i).close();
                assertThrows(IllegalStateException.class, () -> alone.lora().pairs().values().iterator().next().a().address());
            }
        }
    }

    private static void rowOrder(Path folder, Backend backend) {
        JsonNode about = Golden.description(folder);
        List<Projection> rows = modules(about.get("type_row_order"));
        List<Projection> wrong = modules(about.get("args_yaml_order"));
        try (SafeTensors expected = SafeTensors.open(folder.resolve("expected.safetensors"));
                HyperCheckpoint checkpoint = HyperCheckpoint.load(folder)) {
            assertEquals(rows, checkpoint.config().targets().stream().map(HyperConfig.Target::projection).toList());
            if (wrong.equals(rows)) {
                return;
            }
            float scale = checkpoint.config().lora().scale();
            LoraWeights byWrongOrder = HyperFamily.adapter(expected.weights(), "lora0_by_wrong_order.", scale);
            LoraWeights byRightOrder = HyperFamily.adapter(expected.weights(), "lora0.", scale);
            try (Backend host = Backend.open("java")) {
                assertThrows(AssertionError.class, () -> HyperFamily.assertClose("right order", byWrongOrder, byRightOrder, host, about), "the two orders must differ");
            }
            try (HyperCheckpoint overridden = HyperCheckpoint.load(folder, wrong); Hypernetwork network = overridden.network(backend)) {
                List<GeneratedLora> adapters = network.generate(backend.place(expected.weights().get("task_embs")));
                HyperFamily.assertClose("wrong order", byWrongOrder, adapters.getFirst().lora(), backend, about);
                adapters.forEach(GeneratedLora::close);
            }
        }
    }

    private static List<Projection> modules(JsonNode names) {
        List<Projection> modules = new ArrayList<>();
        names.forEach(n -> modules.add(Projection.byPeftName(n.asText()).orElseThrow()));
        return modules;
    }

    private static void described(Path folder) {
        JsonNode about = Golden.description(folder);
        try (HyperCheckpoint checkpoint = HyperCheckpoint.load(folder)) {
            HyperConfig config = checkpoint.config();
            assertEquals(about.get("trainable_parameters").asLong(), checkpoint.parameters());
            assertEquals(about.get("scaling").asDouble(), config.lora().scale(), 1e-6);
            assertEquals(about.get("r").asInt(), config.lora().rank());
            assertEquals(about.get("n_layers").asInt(), config.lora().layers());
            assertEquals(about.get("E").asInt(), config.architecture().embedding());
            Map<String, List<Long>> wanted = new LinkedHashMap<>();
            about.get("state_dict").properties().forEach(e -> {
                List<Long> shape = new ArrayList<>();
                e.getValue().forEach(d -> shape.add(d.asLong()));
                wanted.put(e.getKey(), shape);
            });
            Map<String, List<Long>> found = new LinkedHashMap<>();
            HyperParameters.of(config).all().values().forEach(p -> found.put(p.name(), p.shape()));
            assertEquals(wanted, found);
            assertEquals(List.copyOf(wanted.keySet()), List.copyOf(found.keySet()), "the order of the state dict");
        }
    }

    private static void reconstructed(Path folder, Backend backend) {
        JsonNode about = Golden.description(folder);
        try (SafeTensors expected = SafeTensors.open(folder.resolve("expected.safetensors")); HyperCheckpoint start = HyperCheckpoint.load(folder)) {
            Map<String, Tensor> trained = new LinkedHashMap<>(start.weights().tensors());
            HyperParameters.of(start.config()).trainable().forEach(p -> trained.put(p.name(), expected.weights().get("final." + p.name())));
            Tensor all = expected.weights().get("task_embs");
            Tensor first = all.reshape(all.rows(), all.cols()).slice(0, 1);
            if (!HyperFamily.has(expected.weights(), "lora_after.")) {
                assertEquals(HyperConfig.Output.DELTA_W, start.config().training().output(), "z-scores count only for factorised targets");
                return;
            }
            try (Hypernetwork network = new Hypernetwork(start.config(), new Weights(trained, () -> { }), backend);
                    GeneratedLora adapter = network.generate(backend.place(first)).getFirst()) {
                LoraWeights want = HyperFamily.adapter(expected.weights(), "lora_after.", start.config().lora().scale());
                HyperFamily.assertClose("lora_after", want, adapter.lora(), backend, about);
            }
        }
    }
}
