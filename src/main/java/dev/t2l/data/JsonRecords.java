package dev.t2l.data;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.t2l.io.FormatException;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;

/**
 * Objects of a JSONL file, one a line, or of a JSON file that is a list of them; {@code .gz} behind the name says that it is packed.
 *
 * @param line of the file, from 1, where the object begins
 */
public record JsonRecords(Path file, int line, JsonNode object) {
    private static final JsonMapper JSON = new JsonMapper();
    private static final ObjectReader LINE = JSON.reader(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    /** @throws FormatException naming file and line */
    public static List<JsonRecords> read(Path file) {
        try (InputStream in = open(file)) {
            return file.getFileName().toString().contains(".jsonl") ? lines(file, in) : list(file, in);
        } catch (JsonProcessingException e) {
            throw new FormatException(file, "line " + (e.getLocation() == null ? 1 : e.getLocation().getLineNr()), e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static InputStream open(Path file) throws IOException {
        var in = new BufferedInputStream(Files.newInputStream(file));
        if (!file.toString().endsWith(".gz")) {
            return in;
        }
        try {
            return new GZIPInputStream(in);
        } catch (IOException e) {
            in.close();
            throw new FormatException(file, "start", "is not packed with gzip", e);
        }
    }

    private static List<JsonRecords> lines(Path file, InputStream in) throws IOException {
        List<JsonRecords> records = new ArrayList<>();
        var reader = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8.newDecoder()));
        int number = 1;
        try {
            for (String line = reader.readLine(); line != null; line = reader.readLine(), number++) {
                if (!line.isBlank()) {
                    records.add(object(file, number, LINE.readTree(line)));
                }
            }
        } catch (JsonProcessingException e) {
            throw new FormatException(file, "line " + number, e.getOriginalMessage(), e);
        } catch (CharacterCodingException e) {
            throw new FormatException(file, "after line " + (number - 1), "is not valid UTF-8", e);
        }
        return records;
    }

    private static List<JsonRecords> list(Path file, InputStream in) throws IOException {
        List<JsonRecords> records = new ArrayList<>();
        try (JsonParser parser = JSON.getFactory().createParser(in)) {
            if (parser.nextToken() != JsonToken.START_ARRAY) {
                throw new FormatException(file, "line 1", "wanted a list of objects; HINT: files with one object a line are called .jsonl");
            }
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                int line = parser.currentTokenLocation().getLineNr();
                records.add(object(file, line, parser.readValueAsTree()));
            }
        }
        return records;
    }

    private static JsonRecords object(Path file, int line, JsonNode node) {
        if (!node.isObject()) {
            throw new FormatException(file, "line " + line, "wanted an object, found " + node.getNodeType());
        }
        return new JsonRecords(file, line, node);
    }

    /** A text; numbers and booleans count as how they are written. */
    public String text(String field) {
        JsonNode value = object.get(field);
        if (value == null || !value.isValueNode() || value.isNull()) {
            throw problem("field '" + field + "': wanted text, found " + (value == null ? "none; there are " + names() : value.getNodeType()));
        }
        return value.asText();
    }

    public String text(String field, String missing) {
        return object.hasNonNull(field) ? text(field) : missing;
    }

    public List<String> texts(String field) {
        JsonNode value = object.get(field);
        if (value == null || value.isNull()) {
            return List.of();
        }
        List<String> texts = new ArrayList<>();
        if (!value.isArray()) {
            throw problem("field '" + field + "': wanted a list of texts, found " + value.getNodeType());
        }
        for (JsonNode each : value) {
            if (!each.isTextual()) {
                throw problem("field '" + field + "': wanted a list of texts, found " + each.getNodeType() + " in it");
            }
            texts.add(each.textValue());
        }
        return texts;
    }

    public boolean has(String field) {
        return object.hasNonNull(field);
    }

    private List<String> names() {
        List<String> names = new ArrayList<>();
        object.fieldNames().forEachRemaining(names::add);
        return names;
    }

    public FormatException problem(String cause) {
        return new FormatException(file, "line " + line, cause);
    }
}
