package dev.t2l.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.Golden;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Every conversation of {@code chat_templates}: the text that transformers renders, or its refusal. */
class ChatTemplateGoldenTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TestFactory
    Stream<DynamicTest> rendersAsTransformersDoes() throws Exception {
        List<DynamicTest> tests = new ArrayList<>();
        for (Path folder : Golden.cases("tokenizers")) {
            if (!Files.exists(folder.resolve("templates.json"))) {
                continue;
            }
            JsonNode templates = Golden.json(folder.resolve("templates.json"));
            for (String line : Files.readAllLines(folder.resolve("expected.jsonl"))) {
                JsonNode expected = JSON.readTree(line);
                ChatTemplate template = ChatTemplate.parse(templates.path(expected.path("template").asText()).asText());
                tests.add(DynamicTest.dynamicTest(folder.getFileName() + " " + tests.size() + " " + expected.path("template").asText(), () -> check(template, expected)));
            }
        }
        return tests.stream();
    }

    private static void check(ChatTemplate template, JsonNode expected) {
        Map<String, String> tokens = Map.of("bos_token", expected.path("bos_token").asText(), "eos_token", expected.path("eos_token").asText());
        ChatTemplate.Options options = new ChatTemplate.Options(expected.path("add_generation_prompt").asBoolean(), tokens, Map.of(), Clock.systemUTC());
        List<Message> messages = messages(expected.path("messages"));
        if (expected.has("error")) {
            assertThrows(TemplateException.class, () -> template.render(messages, options), expected::toString);
        } else {
            assertEquals(expected.path("rendered").asText(), Segment.join(template.render(messages, options)), expected::toString);
        }
    }

    private static List<Message> messages(JsonNode array) {
        List<Message> messages = new ArrayList<>();
        for (JsonNode node : array) {
            Map<String, Object> more = new HashMap<>(JSON.convertValue(node, new TypeReference<Map<String, Object>>() { }));
            messages.add(new Message((String) more.remove("role"), more.remove("content"), more));
        }
        return messages;
    }
}
