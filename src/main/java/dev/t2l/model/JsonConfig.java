package dev.t2l.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.io.FormatException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.StreamSupport;

/** An object of a JSON configuration file: typed reads, whose errors name the file, the key, what was wanted and what was found. */
final class JsonConfig {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path file;
    private final String path;
    private final JsonNode node;

    private JsonConfig(Path file, String path, JsonNode node) {
        this.file = file;
        this.path = path;
        this.node = node;
        if (!node.isObject()) {
            throw new FormatException(file, path.isEmpty() ? "start" : "key '" + path + "'", "wanted a JSON object, found " + node.getNodeType());
        }
    }

    /**
     * @throws FormatException if the file holds no JSON object
     * @throws UncheckedIOException if it cannot be read
     */
    static JsonConfig read(Path file) {
        return new JsonConfig(file, "", parse(file));
    }

    /** As {@link #read}, or empty if there is no such file. */
    static Optional<JsonConfig> readIfThere(Path file) {
        return Files.exists(file) ? Optional.of(read(file)) : Optional.empty();
    }

    /** The objects of a file that holds an array of them. */
    static List<JsonConfig> readArray(Path file) {
        JsonNode array = parse(file);
        if (!array.isArray()) {
            throw new FormatException(file, "start", "wanted a JSON array, found " + array.getNodeType());
        }
        return StreamSupport.stream(array.spliterator(), false).map(entry -> new JsonConfig(file, "", entry)).toList();
    }

    private static JsonNode parse(Path file) {
        try {
            return JSON.readTree(file.toFile());
        } catch (JsonProcessingException e) {
            throw new FormatException(file, "JSON", e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Path file() {
        return file;
    }

    /** Whether the key is there and not null. */
    boolean has(String key) {
        return node.hasNonNull(key);
    }

    /** A whole number of at least {@code least}. */
    int integer(String key, int least) {
        JsonNode value = node.path(key);
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < least) {
            throw refuse(key, "wanted a whole number of at least " + least);
        }
        return value.intValue();
    }

    int integer(String key, int least, int missing) {
        return has(key) ? integer(key, least) : missing;
    }

    /** A positive, finite number. */
    double positive(String key) {
        JsonNode value = node.path(key);
        if (!value.isNumber() || !(value.doubleValue() > 0) || Double.isInfinite(value.doubleValue())) {
            throw refuse(key, "wanted a positive number");
        }
        return value.doubleValue();
    }

    double positive(String key, double missing) {
        return has(key) ? positive(key) : missing;
    }

    boolean flag(String key, boolean missing) {
        if (!has(key)) {
            return missing;
        }
        if (!node.get(key).isBoolean()) {
            throw refuse(key, "wanted true or false");
        }
        return node.get(key).booleanValue();
    }

    String text(String key, String missing) {
        if (!has(key)) {
            return missing;
        }
        if (!node.get(key).isTextual()) {
            throw refuse(key, "wanted a string");
        }
        return node.get(key).textValue();
    }

    /** The strings of an array; empty if the key is missing. */
    List<String> texts(String key) {
        return StreamSupport.stream(node.path(key).spliterator(), false).map(JsonNode::asText).toList();
    }

    JsonConfig object(String key) {
        return new JsonConfig(file, path.isEmpty() ? key : path + "." + key, node.path(key));
    }

    /** The keys of this object. */
    List<String> keys() {
        return node.properties().stream().map(java.util.Map.Entry::getKey).toList();
    }

    /** The exception for a value that is not supported. */
    FormatException refuse(String key, String wanted) {
        JsonNode value = node.path(key);
        String place = "key '" + (path.isEmpty() ? key : path + "." + key) + "'";
        return new FormatException(file, place, wanted + ", found " + (value.isMissingNode() ? "nothing" : value));
    }
}
