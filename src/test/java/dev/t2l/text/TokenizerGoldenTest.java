package dev.t2l.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.Golden;
import dev.t2l.io.Gguf;
import dev.t2l.io.SafeTensors;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Ids and text of the peers, from each file form that a case has. */
class TokenizerGoldenTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** One file form of a case. */
    private record Form(Path folder, String file) {
        String name() {
            return folder.getFileName() + "/" + file;
        }

        Tokenizer open() {
            Path path = folder.resolve(file);
            if (!file.endsWith(".gguf")) {
                return Tokenizer.load(path);
            }
            try (Gguf gguf = Gguf.open(path)) {
                return Tokenizer.of(gguf);
            }
        }

        boolean sentencePiece() {
            return Files.exists(folder.resolve("tokenizer.model"));
        }

        boolean wordPiece() {
            return Files.exists(folder.resolve("vocab.txt"));
        }
    }

    private static Stream<Form> forms() {
        return Golden.cases("tokenizers").stream()
                .flatMap(folder -> Stream.of("tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.gguf").map(file -> new Form(folder, file)))
                .filter(form -> Files.exists(form.folder.resolve(form.file)));
    }

    private static List<JsonNode> lines(Path file) {
        List<JsonNode> lines = new ArrayList<>();
        try {
            for (String line : Files.readAllLines(file)) {
                lines.add(JSON.readTree(line));
            }
        } catch (IOException e) {
            throw new AssertionError(file + " is not readable", e);
        }
        return lines;
    }

    private static int[] ints(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false).mapToInt(JsonNode::asInt).toArray();
    }

    @TestFactory
    Stream<DynamicTest> encodesAndDecodesEveryString() {
        return forms().map(form -> DynamicTest.dynamicTest(form.name(), () -> {
            try (Tokenizer tokenizer = form.open()) {
                checkLines(form, tokenizer);
            }
        }));
    }

    static void checkLines(Form form, Tokenizer tokenizer) {
        boolean frames = form.wordPiece();
        for (JsonNode line : lines(form.folder.resolve("expected.jsonl"))) {
            String text = line.path("text").asText();
            int[] ids = ints(line.path("ids"));
            assertArrayEquals(ids, tokenizer.encode(text, frames, !form.sentencePiece()), () -> "ids of " + line);
            if (line.has("ids_with_specials")) {
                assertArrayEquals(ints(line.path("ids_with_specials")), tokenizer.encode(text, true, true), () -> "ids with special tokens of " + line);
            }
            if (line.has("decoded")) {
                assertEquals(line.path("decoded").asText(), tokenizer.decode(ids), () -> "text of " + line);
                assertEquals(line.path("decoded").asText(), streamed(tokenizer, ids), () -> "streamed text of " + line);
            }
            if (tokenizer instanceof WordPieceTokenizer wordPiece && line.has("normalized")) {
                assertEquals(line.path("normalized").asText(), wordPiece.normalize(text), () -> "normalised text of " + line);
            }
        }
    }

    private static String streamed(Tokenizer tokenizer, int[] ids) {
        StreamingDecoder decoder = tokenizer.streamingDecoder(false);
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            String part = decoder.next(id);
            assertEquals(part, WellFormed.of(part), "half a character was given out");
            text.append(part);
        }
        return text.append(decoder.finish()).toString();
    }

    @TestFactory
    Stream<DynamicTest> encodesPairsAndTruncates() {
        return forms().filter(form -> Golden.description(form.folder).has("pair")).map(form -> DynamicTest.dynamicTest(form.name(), () -> {
            JsonNode description = Golden.description(form.folder);
            try (Tokenizer tokenizer = form.open()) {
                JsonNode pair = description.path("pair");
                assertEquals(new Encoding(ints(pair.path("ids")), ints(pair.path("type_ids"))), tokenizer.encodePair(pair.path("a").asText(), pair.path("b").asText()));
                for (JsonNode cut : description.path("truncated")) {
                    assertArrayEquals(ints(cut.path("ids")), tokenizer.encode(cut.path("text").asText(), cut.path("max_length").asInt()).ids(), cut::toString);
                }
            }
        }));
    }

    @TestFactory
    Stream<DynamicTest> truncatesPromptAndResponseTogether() {
        return forms().filter(form -> Files.exists(form.folder.resolve("pair_truncation.jsonl"))).map(form -> DynamicTest.dynamicTest(form.name(), () -> {
            try (Tokenizer tokenizer = form.open()) {
                for (JsonNode line : lines(form.folder.resolve("pair_truncation.jsonl"))) {
                    Truncation.Pair pair = tokenizer.encodePair(line.path("prompt").asText(), line.path("response").asText(), line.path("max_length").asInt());
                    assertArrayEquals(ints(line.path("ids")), pair.ids(), line::toString);
                    long promptTokens = StreamSupport.stream(line.path("labels").spliterator(), false).filter(label -> label.asInt() == -100).count();
                    assertEquals(promptTokens, pair.first().length, line::toString);
                }
            }
        }));
    }

    /** The WordPiece vocabulary inside BERT's GGUF files. */
    @TestFactory
    Stream<DynamicTest> readsTheVocabularyOfGgufEncoders() {
        return Golden.cases("gguf_bert").stream().flatMap(folder -> Stream.of("model-f32.gguf", "model-q8_0.gguf").map(file -> new Form(folder, file)))
                .filter(form -> Files.exists(form.folder.resolve(form.file))).map(form -> DynamicTest.dynamicTest(form.name(), () -> {
                    JsonNode texts = Golden.description(form.folder).path("texts");
                    try (Tokenizer tokenizer = form.open(); SafeTensors expected = SafeTensors.open(form.folder.resolve("expected.safetensors"))) {
                        for (int i = 0; i < texts.size(); i++) {
                            long[] ids = expected.weights().get(i + ".ids").data().toArray(ValueLayout.JAVA_LONG_UNALIGNED);
                            int[] wanted = Arrays.stream(ids).mapToInt(Math::toIntExact).toArray();
                            assertArrayEquals(wanted, tokenizer.encode(texts.path(i).asText(), 512).ids(), texts.path(i).asText());
                        }
                    }
                }));
    }
}
