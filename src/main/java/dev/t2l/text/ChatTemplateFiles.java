package dev.t2l.text;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.io.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The chat templates of a model folder by name. */
final class ChatTemplateFiles {
    static final String DEFAULT = "default";
    private static final String ENDING = ".jinja";

    private ChatTemplateFiles() {
    }

    /**
     * Sources of the templates: of {@code chat_template} in tokenizer_config.json, one text or a list of named ones, over which
     * chat_template.jinja and the folder additional_chat_templates have precedence.
     *
     * @throws FormatException if the files are malformed
     */
    static Map<String, String> read(Path folder) {
        Map<String, String> sources = new LinkedHashMap<>();
        JsonNode configured = FolderConfig.of(folder).tokenizerConfig().path("chat_template");
        if (configured.isTextual()) {
            sources.put(DEFAULT, configured.asText());
        }
        for (JsonNode named : configured) {
            sources.put(named.path("name").asText(), named.path("template").asText());
        }
        Path one = folder.resolve("chat_template" + ENDING);
        if (Files.isRegularFile(one)) {
            sources.put(DEFAULT, text(one));
        }
        for (Path file : additional(folder.resolve("additional_chat_templates"))) {
            String name = file.getFileName().toString();
            sources.put(name.substring(0, name.length() - ENDING.length()), text(file));
        }
        return sources;
    }

    private static List<Path> additional(Path folder) {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(f -> f.getFileName().toString().endsWith(ENDING)).sorted().toList();
        } catch (IOException e) {
            throw new FormatException(folder, "folder", "not readable: " + e.getMessage(), e);
        }
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new FormatException(file, "text", "not readable as UTF-8: " + e.getMessage(), e);
        }
    }
}
