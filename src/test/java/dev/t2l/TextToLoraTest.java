package dev.t2l;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import dev.t2l.model.DecoderFile;
import dev.t2l.tensor.LoraWeights;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A sentence becomes an adapter: alone or with others, and what is refused. */
class TextToLoraTest {
    private static final Path GTE = Tiny.GTE_T2L.resolve("gte-tiny");

    static List<String> backends() {
        return EachBackend.available();
    }

    private static Map<LoraWeights.Site, LoraWeights.Pair> pairs(Adapter adapter) {
        return adapter.onHost(Arena.ofAuto()).pairs();
    }

    private static void assertSame(Adapter want, Adapter got) {
        var gotten = pairs(got);
        assertEquals(want.weights().pairs().keySet(), gotten.keySet());
        pairs(want).forEach((site, pair) -> {
            assertArrayEquals(pair.a().toFloats(), gotten.get(site).a().toFloats(), site + " A");
            assertArrayEquals(pair.b().toFloats(), gotten.get(site).b().toFloats(), site + " B");
        });
    }

    private static boolean differ(Adapter one, Adapter other) {
        var others = pairs(other);
        return pairs(one).entrySet().stream().anyMatch(e -> !Arrays.equals(e.getValue().a().toFloats(), others.get(e.getKey()).a().toFloats()));
    }

    @ParameterizedTest
    @MethodSource("backends")
    void descriptionsDoNotDependOnEachOther(String name) {
        List<String> descriptions = List.of("Answer with yes or no.", "x", "Summarise the text in a single sentence, please.", "x");
        try (Backend backend = Backend.open(name);
                LanguageModel lm = LanguageModel.load(Tiny.BASE, backend);
                TextEncoder gte = TextEncoder.load(GTE, backend);
                TextToLora byItsBase = TextToLora.load(Tiny.T2L, lm);
                TextToLora byAnEncoder = TextToLora.load(Tiny.GTE_T2L, Optional.of(DecoderFile.config(Tiny.GTE_T2L.resolve("base"))), backend, gte)) {
            for (TextToLora t2l : List.of(byItsBase, byAnEncoder)) {
                List<Adapter> together = t2l.generate(descriptions);
                for (int i = 0; i < descriptions.size(); i++) {
                    try (Adapter alone = t2l.generate(descriptions.get(i))) {
                        assertSame(alone, together.get(i));
                        assertEquals(Optional.of(descriptions.get(i)), alone.description());
                    }
                }
                List<Adapter> fromEmbeddings = t2l.generateFromEmbeddings(t2l.encoder().embedTasks(descriptions));
                for (int i = 0; i < descriptions.size(); i++) {
                    assertSame(together.get(i), fromEmbeddings.get(i));
                    assertEquals(Optional.empty(), fromEmbeddings.get(i).description());
                }
                fromEmbeddings.forEach(Adapter::close);
                assertSame(together.get(1), together.get(3));
                assertTrue(differ(together.get(0), together.get(1)));
                together.forEach(Adapter::close);
            }
        }
    }

    @Test
    void emptyDescriptionsAndOtherWidthsAreRefused() {
        try (Backend backend = Backend.best(); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend); TextToLora t2l = TextToLora.load(Tiny.T2L, lm)) {
            assertEquals(List.of(), t2l.generate(List.of()));
            assertEquals(List.of(), t2l.generateFromEmbeddings(new float[0][]));
            float[] embedding = new float[t2l.encoder().width()];
            String narrow = assertThrows(IllegalArgumentException.class, () -> t2l.generateFromEmbeddings(new float[][] {embedding, {1, 2}})).getMessage();
            assertTrue(narrow.contains("found 2 in row 1"), narrow);
            for (String empty : List.of("", "  ", "\n\t\u00a0")) {
                String message = assertThrows(IllegalArgumentException.class, () -> t2l.generate(List.of("good", empty))).getMessage();
                assertTrue(message.contains("description is empty"), message);
            }
        }
    }

    @Test
    void whatDoesNotFitTheCheckpointIsRefused(@TempDir Path folder) throws Exception {
        Path wide = Path.of("src/test/golden/hypernet/L_order");
        try (Backend backend = Backend.best();
                LanguageModel lm = LanguageModel.load(Tiny.BASE, backend);
                LanguageModel gemma = LanguageModel.load(Tiny.GEMMA, backend);
                TextEncoder gte = TextEncoder.load(GTE, backend)) {
            assertHinted("embeddings of", () -> TextToLora.load(wide, Optional.empty(), backend, gte));
            assertHinted("language model", () -> TextToLora.load(Tiny.T2L, gemma, gte));
            Path oneHot = Tiny.copy(Tiny.T2L, folder.resolve("one-hot"));
            Path args = oneHot.resolve("args.yaml");
            Files.writeString(args, Files.readString(args).replaceFirst("use_one_hot_task_emb: \\w+", "use_one_hot_task_emb: true"));
            assertTrue(Files.readString(args).contains("use_one_hot_task_emb: true"));
            String message = assertThrows(IllegalArgumentException.class, () -> TextToLora.load(oneHot, lm, gte)).getMessage();
            assertTrue(message.contains("one-hot"), message);
            assertThrows(RuntimeException.class, () -> TextToLora.load(folder.resolve("nowhere"), lm, gte));
            assertEquals(gte.width(), gte.embed("the encoder is still its owner's").length);
        }
    }

    private static void assertHinted(String part, Runnable load) {
        String message = assertThrows(IllegalArgumentException.class, load::run).getMessage();
        assertTrue(message.contains(part) && message.contains("HINT"), message);
    }

    @Test
    void theCheckpointSaysWhoReads() {
        assertEquals(Optional.empty(), TextToLora.encoderOf(Tiny.T2L));
        assertFalse(TextToLora.encoderOf(Tiny.GTE_T2L).isEmpty());
        try (Backend backend = Backend.best(); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend); TextToLora t2l = TextToLora.load(Tiny.T2L, lm)) {
            assertEquals(lm.config().hidden(), t2l.encoder().width());
            assertEquals(lm.config().layers(), t2l.config().lora().layers());
        }
    }
}
