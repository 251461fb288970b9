package dev.t2l.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.text.TemplateException;
import java.io.IOException;
import java.io.InputStream;
import java.time.Clock;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Each construct of the language, with what jinja2 makes of it. */
class ConstructsTest {
    @TestFactory
    Stream<DynamicTest> rendersAsJinja2Does() throws IOException {
        ObjectMapper json = new ObjectMapper();
        JsonNode file;
        try (InputStream in = ConstructsTest.class.getResourceAsStream("constructs.json")) {
            file = json.readTree(in);
        }
        Map<String, Object> variables = json.convertValue(file.path("variables"), new TypeReference<>() { });
        return StreamSupport.stream(file.path("cases").spliterator(), false).map(c -> DynamicTest.dynamicTest(c.path("name").asText(), () -> {
            String template = c.path("template").asText();
            if (c.has("error")) {
                assertThrows(TemplateException.class, () -> Template.compile(template).render(variables, Clock.systemUTC()), template);
            } else {
                assertEquals(c.path("expected").asText(), Template.compile(template).render(variables, Clock.systemUTC()).value(), template);
            }
        }));
    }
}
