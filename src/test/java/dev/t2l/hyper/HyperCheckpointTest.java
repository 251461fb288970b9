package dev.t2l.hyper;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.io.FormatException;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.Gguf;
import dev.t2l.io.PeftConfig;
import dev.t2l.io.PeftScaling;
import dev.t2l.io.PeftTargets;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Elements;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Saving, and what a checkpoint that does not fit its configuration says. */
class HyperCheckpointTest {
    private static final Path L_ORDER = Path.of("src/test/golden/hypernet/L_order");

    @TempDir
    Path temporary;
    private Path saved;

    @BeforeEach
    void save() {
        saved = temporary.resolve("saved");
        try (HyperCheckpoint checkpoint = HyperCheckpoint.load(L_ORDER)) {
            checkpoint.save(saved);
        }
    }

    @TestFactory
    Stream<DynamicTest> savedAndLoadedAgain() {
        return Golden.cases("hypernet").stream().map(folder -> dynamicTest(folder.getFileName().toString(), () -> {
            Path copy = temporary.resolve("copy of " + folder.getFileName());
            try (HyperCheckpoint original = HyperCheckpoint.load(folder)) {
                original.save(copy);
                try (HyperCheckpoint loaded = HyperCheckpoint.load(copy)) {
                    assertEquals(original.config(), loaded.config());
                    assertEquals(original.describe(), loaded.describe());
                    assertEquals(List.copyOf(original.weights().tensors().keySet()), List.copyOf(loaded.weights().tensors().keySet()));
                    original.weights().tensors().forEach((name, tensor) -> assertArrayEquals(bytes(tensor), bytes(loaded.weights().get(name)), name));
                }
            }
            try (Stream<Path> files = Files.list(copy)) {
                assertEquals(List.of("adapter_config.json", "args.yaml", "hypermod.safetensors"),
                        files.map(p -> p.getFileName().toString()).sorted().toList());
            }
        }));
    }

    /** In eight bits: the same network but for rounding; what is constant costs nothing. */
    @TestFactory
    Stream<DynamicTest> savedInEightBits() {
        return Golden.cases("hypernet").stream().map(folder -> dynamicTest(folder.getFileName().toString(), () -> {
            Path copy = temporary.resolve("eight bits of " + folder.getFileName());
            try (HyperCheckpoint original = HyperCheckpoint.load(folder)) {
                original.save(copy, DType.Q8_0);
                try (HyperCheckpoint loaded = HyperCheckpoint.load(copy)) {
                    assertEquals(original.config(), loaded.config());
                    original.weights().tensors().forEach((name, tensor) -> {
                        float[] want = tensor.toFloats();
                        float largest = 0;
                        for (float v : want) {
                            largest = Math.max(largest, Math.abs(v));
                        }
                        assertArrayEquals(want, loaded.weights().get(name).toFloats(), largest / 127, name);
                    });
                }
                assertTrue(assertThrows(IllegalArgumentException.class, () -> original.save(copy)).getMessage().contains("hypermod.gguf"));
                assertThrows(IllegalArgumentException.class, () -> original.save(temporary.resolve("q4"), DType.Q4_0));
            }
        }));
    }

    /** A large matrix is blocks, a small one is not, and constants are keys. */
    @Test
    void eightBitsWhereTheyCount() {
        Path file = temporary.resolve(HyperTensorFile.GGUF);
        float[] large = new float[1 << 14];
        for (int i = 0; i < large.length; i++) {
            large[i] = i % 77 - 38;
        }
        Map<String, Tensor> tensors = Map.of("heads.q_proj.weight", Tensor.ofFloats(large, 256, 64), "small", Tensor.ofFloats(new float[] {1, 2}, 1, 2),
                "AB_offset.A.q_proj", Tensor.ofFloats(new float[] {-0.5f, -0.5f, -0.5f, -0.5f, -0.5f, -0.5f}, 1, 2, 3));
        HyperGguf.write(file, new Weights(tensors, () -> { }), List.of("q_proj"));
        try (Gguf gguf = Gguf.open(file)) {
            assertEquals(Set.of("heads.q_proj.weight", "small"), gguf.weights().tensors().keySet());
            assertEquals(DType.Q8_0, gguf.weights().get("heads.q_proj.weight").dtype());
            assertEquals(DType.F32, gguf.weights().get("small").dtype());
        }
        try (Weights read = HyperGguf.read(file).weights()) {
            assertArrayEquals(new long[] {1, 2, 3}, read.get("AB_offset.A.q_proj").shape());
            assertEquals(-0.5f, read.get("AB_offset.A.q_proj").getFloat(5));
            assertArrayEquals(large, read.get("heads.q_proj.weight").toFloats(), 0.16f);
        }
        Gguf.write(file, Map.of("general.architecture", "llama"), Map.of());
        assertTrue(assertThrows(FormatException.class, () -> HyperGguf.read(file)).getMessage().contains("text-to-lora"));
        Gguf.write(file, Map.of("general.architecture", "text-to-lora", "t2l.heads", new String[] {"q_proj"}, "t2l.constant.x", 1f, "t2l.shape.x", new int[] {70000, 70000}), Map.of());
        assertTrue(assertThrows(FormatException.class, () -> HyperGguf.read(file)).getMessage().contains("t2l.shape.x"));
    }

    private static byte[] bytes(Tensor tensor) {
        return tensor.data().asSlice(0, tensor.bytes()).toArray(ValueLayout.JAVA_BYTE);
    }

    /** Rewrites the saved tensors. */
    private void rewrite(Consumer<Map<String, Tensor>> change, Map<String, String> metadata) {
        Path file = saved.resolve(HyperTensorFile.SAFETENSORS);
        try (SafeTensors tensors = SafeTensors.open(file)) {
            Map<String, Tensor> changed = new LinkedHashMap<>(tensors.weights().tensors());
            change.accept(changed);
            SafeTensors.write(file, changed, metadata == null ? tensors.metadata() : metadata);
        }
    }

    private void replace(String file, String from, String to) throws IOException {
        Path path = saved.resolve(file);
        String text = Files.readString(path);
        assertTrue(text.contains(from), file + " has no " + from);
        Files.writeString(path, text.replace(from, to));
    }

    private void refused(String... words) {
        FormatException e = assertThrows(FormatException.class, () -> HyperCheckpoint.load(saved).close());
        for (String word : words) {
            assertTrue(e.getMessage().contains(word), e.getMessage());
        }
    }

    @Test
    void describes() {
        try (HyperCheckpoint checkpoint = HyperCheckpoint.load(L_ORDER)) {
            Map<String, Object> about = checkpoint.describe();
            assertEquals("L", about.get("variant"));
            assertEquals(List.of("v_proj 32 -> 16", "q_proj 32 -> 32"), about.get("targets in row order"));
            assertEquals(checkpoint.parameters(), about.get("trainable parameters"));
        }
    }

    @Test
    void madeHere() {
        HyperConfig config = TinyHypernetworks.Kind.S.config(HyperConfig.Training.sft(), true);
        Weights fresh = HyperInit.weights(config, 1);
        List<String> modules = List.of("q_proj", "down_proj");
        PeftConfig fits = peft(2, modules);
        Path folder = temporary.resolve("made");
        HyperCheckpoint.of(config, fresh, fits, Map.of("lr", 2.5e-5, "notes", "yes")).save(folder);
        try (HyperCheckpoint loaded = HyperCheckpoint.load(folder)) {
            assertEquals(config, loaded.config());
            assertEquals(fits, loaded.adapterConfig());
            fresh.tensors().forEach((name, tensor) -> assertArrayEquals(bytes(tensor), bytes(loaded.weights().get(name)), name));
        }
        assertThrows(IllegalArgumentException.class, () -> HyperCheckpoint.of(config, fresh, peft(3, modules), Map.of()), "another rank");
        assertThrows(FormatException.class, () -> HyperCheckpoint.of(config, fresh, peft(2, List.of("q_proj")), Map.of()), "a module too few");
        Map<String, Tensor> narrow = new LinkedHashMap<>(fresh.tensors());
        narrow.put("mixer.1.bias", Tensor.ofFloats(new float[3], 3));
        assertThrows(IllegalArgumentException.class, () -> HyperCheckpoint.of(config, new Weights(narrow, () -> { }), fits, Map.of()), "another shape");
    }

    private static PeftConfig peft(int rank, List<String> modules) {
        return new PeftConfig("base", new PeftScaling(rank, 4, true), PeftTargets.ofModules(modules), 0.05, "CAUSAL_LM");
    }

    @Test
    void unknownTensor() {
        rewrite(t -> t.put("vq.codebook", Tensor.ofFloats(new float[4], 4)), null);
        refused("'vq.codebook'", "variant L", "F32[4]");
    }

    @Test
    void missingTensor() {
        rewrite(t -> t.remove("mixer.4.bias"), null);
        refused("'mixer.4.bias'", "wanted [32]", "none of that name");
    }

    @Test
    void wrongShape() {
        rewrite(t -> t.put("mlp3.0.weight", Tensor.ofFloats(new float[31], 31)), null);
        refused("'mlp3.0.weight'", "[32]", "F32[31]");
    }

    @Test
    void wrongType() {
        rewrite(t -> t.put("mlp3.0.weight", Tensor.ofInts(new int[32], 32)), null);
        refused("'mlp3.0.weight'", "I32[32]");
    }

    @Test
    void offsetOfOtherRank() {
        rewrite(t -> t.put("AB_offset.A.q_proj", Tensor.ofFloats(new float[32], 32)), null);
        refused("'AB_offset.A.q_proj'", "3 dimensions", "F32[32]");
    }

    @Test
    void aHeadBiasIsThereIfTheFileHasIt() {
        rewrite(t -> t.remove("heads.q_proj.bias"), null);
        try (HyperCheckpoint checkpoint = HyperCheckpoint.load(saved)) {
            assertEquals(List.of(true, false), checkpoint.config().targets().stream().map(HyperConfig.Target::headBias).toList());
        }
    }

    @Test
    void flagsOfAnotherVariant() throws IOException {
        replace("args.yaml", "shared_AB_head: false", "shared_AB_head: true");
        refused("variant M", "shared_AB_head true");
    }

    @Test
    void anotherRank() throws IOException {
        replace("adapter_config.json", "\"r\": 4", "\"r\": 2");
        refused("AB_offset", "wanted", "[3, 2, 32]", "[3, 4, 32]");
    }

    @Test
    void encoderTypeIsIgnored() throws IOException {
        replace("args.yaml", "encoder_type: linear", "encoder_type: vq");
        HyperCheckpoint.load(saved).close();
    }

    @Test
    void latentThatCannotBeCut() throws IOException {
        replace("args.yaml", "hypernet_latent_size: 32", "hypernet_latent_size: 30");
        refused("hypernet_latent_size", "multiple of 4", "30");
    }

    @Test
    void safetensorsWhoseOrderIsNotKnown() {
        rewrite(t -> { }, Map.of("format", "pt"));
        refused("'heads'", "HINT");
        List<Projection> order = List.of(Projection.V, Projection.Q);
        try (HyperCheckpoint checkpoint = HyperCheckpoint.load(saved, order)) {
            assertEquals(order, checkpoint.config().targets().stream().map(HyperConfig.Target::projection).toList());
        }
    }

    @Test
    void orderOfOtherModules() {
        rewrite(t -> { }, Map.of("heads", "q_proj,q_proj"));
        refused("'heads'", "q_proj, q_proj");
        List<Projection> order = List.of(Projection.V, Projection.K);
        assertThrows(IllegalArgumentException.class, () -> HyperCheckpoint.load(L_ORDER, order));
    }

    @Test
    void modulesThatAdapterConfigDoesNotTarget() throws IOException {
        replace("adapter_config.json", "\"q_proj\"", "\"k_proj\"");
        refused("target_modules", "[q_proj, v_proj]", "q_proj of layer 0 is none");
        replace("adapter_config.json", "\"k_proj\"", "\"k_proj\", \"q_proj\"");
        refused("target_modules", "k_proj of layer 0 is a target");
        replace("adapter_config.json", "\"k_proj\", ", "");
        HyperCheckpoint.load(saved).close();
        replace("adapter_config.json", "\"layers_to_transform\": null", "\"layers_to_transform\": [0, 1]");
        refused("target_modules", "q_proj of layer 2 is none");
    }

    @Test
    void adaptersThatNoHypernetworkEmits() throws IOException {
        replace("adapter_config.json", "\"use_dora\": false", "\"use_dora\": true");
        refused("use_dora", "true");
        replace("adapter_config.json", "\"use_dora\": true", "\"use_dora\": false");
        replace("adapter_config.json", "\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 2}");
        refused("rank_pattern", "q_proj=2");
    }

    @Test
    void unknownHead() {
        rewrite(t -> t.put("heads.qkv.weight", Tensor.ofFloats(new float[4], 2, 2)), null);
        refused("'heads.qkv.weight'", "q_proj");
    }

    @Test
    void twoTensorFiles() throws IOException {
        Files.copy(L_ORDER.resolve("hypermod.pt"), saved.resolve("hypermod.pt"));
        refused("hypermod.pt", "hypermod.safetensors", "HINT");
        HyperCheckpoint.load(saved.resolve("hypermod.safetensors")).close();
        try (HyperCheckpoint torch = HyperCheckpoint.load(saved.resolve("hypermod.pt"))) {
            assertThrows(IllegalArgumentException.class, () -> torch.save(saved));
        }
    }

    @Test
    void refusesEmbeddingsOfAnotherWidthAndUseAfterClose() {
        try (Backend backend = Backend.open("java"); HyperCheckpoint checkpoint = HyperCheckpoint.load(saved)) {
            Hypernetwork network = checkpoint.network(backend);
            Tensor narrow = Tensor.ofFloats(new float[7], 1, 7);
            assertThrows(IllegalArgumentException.class, () -> network.generate(narrow));
            Tensor fitting = Tensor.ofFloats(new float[checkpoint.config().architecture().embedding()], 1, checkpoint.config().architecture().embedding());
            List<GeneratedLora> adapters = new ArrayList<>(network.generate(fitting));
            adapters.forEach(GeneratedLora::close);
            adapters.forEach(GeneratedLora::close);
            assertTrue(network.activations(2).bytes() > network.activations(1).bytes());
            network.close();
            network.close();
            assertThrows(IllegalStateException.class, () -> network.generate(fitting));
        }
    }

    @Test
    void generatedAdaptersAreSavedForPeft() {
        Path adapter = temporary.resolve("adapter");
        try (Backend backend = Backend.open("java"); HyperCheckpoint checkpoint = HyperCheckpoint.load(L_ORDER);
                Hypernetwork network = checkpoint.network(backend)) {
            int width = checkpoint.config().architecture().embedding();
            try (GeneratedLora generated = network.generate(Tensor.ofFloats(new float[width], 1, width)).getFirst()) {
                PeftAdapter.write(adapter, generated.lora(), checkpoint.adapterConfig(), DType.F32);
                PeftAdapter read = PeftAdapter.read(adapter);
                assertEquals(checkpoint.config().lora().scale(), read.weights().at(0, Projection.Q).scale());
                HyperFamily.assertSameBits(generated.lora(), read.weights(), backend);
            }
        }
    }

    @Test
    void halfPrecisionWeights() {
        for (Path folder : Golden.cases("hypernet")) {
            try (Backend backend = Backend.open("java"); HyperCheckpoint checkpoint = HyperCheckpoint.load(folder)) {
                Map<String, Tensor> half = new LinkedHashMap<>();
                Map<String, Tensor> widened = new LinkedHashMap<>();
                checkpoint.weights().tensors().forEach((name, tensor) -> {
                    half.put(name, bfloat16(tensor));
                    widened.put(name, Tensor.ofFloats(half.get(name).toFloats(), tensor.shape()));
                });
                int width = checkpoint.config().architecture().embedding();
                Tensor embedding = Tensor.allocate(Arena.ofAuto(), DType.F32, 1, width);
                for (int i = 0; i < width; i++) {
                    embedding.setFloat(i, (float) Math.sin(i));
                }
                try (var network = new Hypernetwork(checkpoint.config(), new Weights(half, () -> { }), backend);
                        var wide = new Hypernetwork(checkpoint.config(), new Weights(widened, () -> { }), backend);
                        GeneratedLora got = network.generate(embedding).getFirst();
                        GeneratedLora want = wide.generate(embedding).getFirst()) {
                    HyperFamily.assertSameBits(want.lora(), got.lora(), backend);
                }
            }
        }
    }

    private static Tensor bfloat16(Tensor tensor) {
        Tensor half = Tensor.allocate(Arena.ofAuto(), DType.BF16, tensor.shape());
        float[] values = tensor.toFloats();
        for (int i = 0; i < values.length; i++) {
            half.data().set(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i, Elements.floatToBfloat16(values[i]));
        }
        return half;
    }
}
