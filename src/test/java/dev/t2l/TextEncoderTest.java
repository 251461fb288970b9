package dev.t2l;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The front door of encoders, on a tiny BERT with random weights and a vocabulary of a few words. */
class TextEncoderTest {
    private static final int H = 8;
    private static final List<String> WORDS = List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "solve", "sort", "##ing", "maths", ".", "!");

    @TempDir
    Path folder;

    private final Random random = new Random(7);
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final Backend backend = Backend.open("java");

    @BeforeEach
    void tinyBert() throws IOException {
        Files.write(folder.resolve("vocab.txt"), WORDS);
        Files.writeString(folder.resolve("config.json"), """
                {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12,
                 "vocab_size": 11, "max_position_embeddings": 6, "type_vocab_size": 2}""");
        Files.createDirectory(folder.resolve("1_Pooling"));
        Files.writeString(folder.resolve("1_Pooling/config.json"), "{\"pooling_mode_mean_tokens\": true}");
        add("embeddings.word_embeddings.weight", WORDS.size(), H);
        add("embeddings.position_embeddings.weight", 6, H);
        add("embeddings.token_type_embeddings.weight", 2, H);
        dense("embeddings.LayerNorm", H);
        for (String name : List.of("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")) {
            dense("encoder.layer.0." + name, H, H);
        }
        dense("encoder.layer.0.attention.output.LayerNorm", H);
        dense("encoder.layer.0.intermediate.dense", 12, H);
        dense("encoder.layer.0.output.dense", H, 12);
        dense("encoder.layer.0.output.LayerNorm", H);
        SafeTensors.write(folder.resolve("model.safetensors"), tensors, Map.of());
    }

    private void add(String name, long... shape) {
        float[] values = new float[(int) Tensor.elements(shape)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        tensors.put(name, Tensor.ofFloats(values, shape));
    }

    private void dense(String name, long... shape) {
        add(name + ".weight", shape);
        add(name + ".bias", shape[0]);
    }

    @AfterEach
    void close() {
        backend.close();
    }

    private TextEncoder load() {
        return TextEncoder.load(folder, backend);
    }

    private static double norm(float[] v) {
        return Math.sqrt(IntStream.range(0, v.length).mapToDouble(i -> (double) v[i] * v[i]).sum());
    }

    @Test
    void theFolderSaysHowToPoolAndWhetherToNormalise() throws IOException {
        float[] mean;
        float[] normalised;
        float[] cls;
        try (TextEncoder encoder = load()) {
            mean = encoder.embed("sorting");
        }
        Files.writeString(folder.resolve("modules.json"), """
                [{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
                 {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                 {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]""");
        try (TextEncoder encoder = load()) {
            normalised = encoder.embed("sorting");
        }
        Files.writeString(folder.resolve("1_Pooling/config.json"), "{\"pooling_mode_cls_token\": true}");
        try (TextEncoder encoder = load()) {
            cls = encoder.embed("sorting");
        }
        assertTrue(Math.abs(norm(mean) - 1) > 1e-3);
        assertEquals(1, norm(normalised), 1e-6);
        for (int j = 0; j < H; j++) {
            assertEquals(mean[j] / norm(mean), normalised[j], 1e-6);
        }
        assertFalse(Arrays.equals(cls, normalised));
    }

    @Test
    void longTextsAreCutAndKeepTheirLastToken() throws IOException {
        Files.writeString(folder.resolve("sentence_bert_config.json"), "{\"max_seq_length\": 4}");
        try (TextEncoder encoder = load()) {
            assertEquals(4, encoder.maxTokens());
            assertArrayEquals(encoder.embed("solve maths"), encoder.embed("solve maths solve sort sort sort sort"));
            assertFalse(Arrays.equals(encoder.embed("solve maths"), encoder.embed("solve")));
        }
    }

    @Test
    void taskEmbeddingsAreFormattedAndScaled() {
        try (TextEncoder encoder = load()) {
            assertEquals(H, encoder.width());
            float[] task = encoder.taskEmbeddings(List.of("  solve maths\n")).toFloats();
            float[] sentence = encoder.embed("solve maths.");
            assertEquals(Math.sqrt(H), norm(task), 1e-5);
            for (int j = 0; j < H; j++) {
                assertEquals(sentence[j] / norm(sentence) * Math.sqrt(H), task[j], 1e-5);
            }
            float[] two = encoder.taskEmbeddings(List.of("sort!", "solve maths")).toFloats();
            assertArrayEquals(task, Arrays.copyOfRange(two, H, 2 * H));
        }
    }

    @Test
    void whatIsNoDescriptionIsRefused() {
        try (TextEncoder encoder = load()) {
            assertThrows(IllegalArgumentException.class, () -> encoder.taskEmbeddings(List.of("solve", " \u001c ")));
            assertThrows(IllegalArgumentException.class, () -> encoder.taskEmbeddings(List.of()));
            assertThrows(IllegalArgumentException.class, () -> encoder.taskEmbeddings(List.of("solve"), Tensor.ofFloats(new float[2 * H], 2, H)));
            assertEquals(0, encoder.embed(List.of()).length);
            assertEquals(H, encoder.embed("").length);
        }
    }

    @Test
    void manyTextsAndThreadsGetTheSameBits() {
        try (TextEncoder encoder = load()) {
            List<String> texts = IntStream.range(0, 700).mapToObj(i -> WORDS.get(5 + i % 6) + " " + WORDS.get(5 + i / 6 % 6)).toList();
            float[][] all = encoder.embed(texts);
            IntStream.range(0, texts.size()).parallel().forEach(i -> assertArrayEquals(all[i], encoder.embed(texts.get(i))));
        }
    }

    @Test
    void closingTwiceIsHarmlessAndLaterCallsAreRefused() {
        TextEncoder encoder = load();
        encoder.embed("solve");
        encoder.close();
        encoder.close();
        assertThrows(IllegalStateException.class, () -> encoder.embed("solve"));
        assertThrows(IllegalStateException.class, () -> encoder.taskEmbeddings(List.of("solve")));
    }

    @Test
    void flightRecorderSeesTextsAndTokens() throws IOException {
        Path dump = folder.resolve("encode.jfr");
        try (TextEncoder encoder = load(); Recording recording = new Recording()) {
            recording.enable("dev.t2l.Encode").withoutThreshold();
            recording.start();
            encoder.embed(List.of("solve maths", "sort"));
            recording.stop();
            recording.dump(dump);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(dump).stream().filter(e -> e.getEventType().getName().equals("dev.t2l.Encode")).toList();
        assertEquals(1, events.size());
        assertEquals(2, events.getFirst().getInt("texts"));
        assertEquals(7, events.getFirst().getLong("tokens"));
    }
}
