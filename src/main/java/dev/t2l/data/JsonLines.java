package dev.t2l.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** A file that grows by one JSON object a line, each written at once, so that a process may be killed at any moment. */
public final class JsonLines implements AutoCloseable {
    private static final JsonMapper JSON = new JsonMapper();

    private final FileChannel file;

    /**
     * Opens or makes the file. From the first line on that is not wanted, or not whole, it is cut off.
     *
     * @param wanted whether a line stays
     */
    public JsonLines(Path path, Predicate<JsonNode> wanted) {
        try {
            file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            file.truncate(end(path, wanted));
            file.position(file.size());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long end(Path path, Predicate<JsonNode> wanted) throws IOException {
        byte[] all = Files.readAllBytes(path);
        int start = 0;
        for (int i = 0; i < all.length; i++) {
            if (all[i] == '\n') {
                JsonNode line = object(new String(all, start, i - start, StandardCharsets.UTF_8));
                if (line == null || !wanted.test(line)) {
                    return start;
                }
                start = i + 1;
            }
        }
        return start;
    }

    private static JsonNode object(String line) {
        try {
            JsonNode node = JSON.readTree(line);
            return node != null && node.isObject() ? node : null;
        } catch (JsonProcessingException _) {
            return null;
        }
    }

    /** Appends a line and hands it to the system. */
    public void add(Map<String, Object> values) {
        addAll(List.of(values));
    }

    /** Appends lines, by one call of the system's. */
    public void addAll(List<Map<String, Object>> lines) {
        try {
            var text = new ByteArrayOutputStream();
            for (Map<String, Object> values : lines) {
                text.writeBytes(JSON.writeValueAsBytes(values));
                text.write('\n');
            }
            ByteBuffer bytes = ByteBuffer.wrap(text.toByteArray());
            while (bytes.hasRemaining()) {
                file.write(bytes);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The whole lines of such a file, also while it grows. */
    public static List<JsonNode> read(Path file) {
        try {
            return new ArrayList<>(Arrays.stream(Files.readString(file).split("\n")).map(JsonLines::object).filter(line -> line != null).toList());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        try {
            file.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
