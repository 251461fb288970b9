package dev.t2l.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How texts split into words, against words.jsonl, made by tokenizers 0.23.3 from hard characters: marks, odd spaces, long s, astral letters. */
class WordsTest {
    private static List<JsonNode> samples() throws IOException {
        ObjectMapper json = new ObjectMapper();
        List<JsonNode> samples = new ArrayList<>();
        try (BufferedReader in = new BufferedReader(new InputStreamReader(WordsTest.class.getResourceAsStream("words.jsonl"), StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                samples.add(json.readTree(line));
            }
        }
        return samples;
    }

    private static List<String> strings(JsonNode array) {
        List<String> strings = new ArrayList<>();
        array.forEach(s -> strings.add(s.asText()));
        return strings;
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt-2", "smollm", "llama-bpe", "qwen2", "tekken", "gpt-4o"})
    void splitsAsThePublishedExpressionDoes(String name) throws IOException {
        for (JsonNode sample : samples()) {
            assertEquals(strings(sample.path("words").path(name)), PreTokenizer.named(name).split(sample.path("text").asText()), sample::toString);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"uncased", "cased", "withoutIdeographs"})
    void cleansAndSplitsAsBertDoes(String name) throws IOException {
        BertNormalizer normalizer = switch (name) {
            case "uncased" -> new BertNormalizer(true, true, true);
            case "cased" -> new BertNormalizer(false, false, true);
            default -> new BertNormalizer(true, true, false);
        };
        for (JsonNode sample : samples()) {
            JsonNode expected = sample.path("bert").path(name);
            String normalised = normalizer.apply(sample.path("text").asText());
            assertEquals(expected.path(0).asText(), normalised, sample::toString);
            assertEquals(strings(expected.path(1)), BertNormalizer.words(normalised), sample::toString);
        }
    }

    @Test
    void theDefaultTypeCutsPunctuationAndTriplesOfDigits() {
        assertEquals(List.of("It", "'", "s", " costs", " ", "$", "123", "456", "7", ",", " ok"), PreTokenizer.named("default").split("It's costs $1234567, ok"));
    }

    @Test
    void anUnknownTypeIsRefusedByName() {
        IllegalArgumentException refused = assertThrows(IllegalArgumentException.class, () -> PreTokenizer.named("brand-new"));
        assertTrue(refused.getMessage().contains("'brand-new'") && refused.getMessage().contains("qwen2"), refused.getMessage());
    }

    @Test
    void noCharacterIsLost() throws IOException {
        for (JsonNode sample : samples()) {
            String text = sample.path("text").asText();
            Stream.of("gpt-2", "smollm", "llama-bpe", "qwen2", "tekken", "gpt-4o", "default").forEach(name -> assertEquals(text, String.join("", PreTokenizer.named(name).split(text))));
        }
    }
}
