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
    private static final System.Logger LOG = System.getLogger("dev.t2l.data");

    private final FileChannel file;

    /** Opens or makes the file. A last line that is not whole, as a process that was killed leaves it, is cut off. */
    public JsonLines(Path path) {
        this(path, _ -> true);
    }

    /**
     * The same; and from the first line on that is not wanted the file is cut off.
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
        int end = 0; // of the last whole line
        for (int i = 0; i < all.length; i++) {
            if (all[i] == '\n') {
                JsonNode line = object(new String(all, start, i - start, StandardCharsets.UTF_8));
                if (line != null && !wanted.test(line)) {
                    return start;
                }
                start = i + 1;
                end = line == null ? end : start;
            }
        }
        return end;
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

    /**
     * The same. A line that is not wanted, or broken, is skipped with a warning that names it; but not the last one if it is broken.
     *
     * @param wanted whether a line is taken
     */
    public static List<JsonNode> read(Path file, Predicate<JsonNode> wanted) {
        try {
            String[] lines = Files.readString(file).split("\n");
            List<JsonNode> taken = new ArrayList<>();
            for (int i = 0; i < lines.length; i++) {
                JsonNode line = object(lines[i]);
                if (line != null && wanted.test(line)) {
                    taken.add(line);
                } else if (line != null || i < lines.length - 1) {
                    LOG.log(System.Logger.Level.WARNING, "{0}, line {1,number,#} is damaged and is skipped", file, i + 1);
                }
            }
            return taken;
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
