package dev.t2l.train;

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
import java.util.List;
import java.util.Map;

/** What a run measured, one JSON object a line, each written at once. Every line has the {@code step} after which it was measured, from 1. */
public final class MetricsLog implements AutoCloseable {
    /** The file's name in a run's folder. */
    public static final String FILE = "metrics.jsonl";
    private static final JsonMapper JSON = new JsonMapper();

    private final FileChannel file;

    /**
     * Opens or makes the file. Lines of later steps, and a last one that is not whole, are cut off.
     *
     * @param steps the run goes on after so many
     */
    MetricsLog(Path path, long steps) {
        try {
            file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            file.truncate(end(path, steps));
            file.position(file.size());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Bytes up to the first line that is later than so many steps, or no whole line. */
    private static long end(Path path, long steps) throws IOException {
        byte[] all = Files.readAllBytes(path);
        int start = 0;
        for (int i = 0; i < all.length; i++) {
            if (all[i] == '\n') {
                JsonNode line = object(new String(all, start, i - start, StandardCharsets.UTF_8));
                if (line == null || line.path("step").asLong(Long.MAX_VALUE) > steps) {
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
    void add(Map<String, Object> values) {
        try {
            var line = new ByteArrayOutputStream();
            line.writeBytes(JSON.writeValueAsBytes(values));
            line.write('\n');
            ByteBuffer bytes = ByteBuffer.wrap(line.toByteArray());
            while (bytes.hasRemaining()) {
                file.write(bytes);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The whole lines of a run's metrics, also while it goes on. */
    public static List<JsonNode> read(Path folder) {
        try {
            List<JsonNode> lines = new ArrayList<>();
            for (String line : Files.readString(folder.resolve(FILE)).split("\n")) {
                JsonNode object = object(line);
                if (object != null) {
                    lines.add(object);
                }
            }
            return lines;
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
