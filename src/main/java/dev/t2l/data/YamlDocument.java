package dev.t2l.data;

import dev.t2l.io.FormatException;
import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;

/**
 * One YAML document of plain data, and where its values stand.
 *
 * @param root  a map, a list, a string, a number, a boolean or null
 * @param lines by path ({@code batch.tasks}, {@code data[2].name}): the line, from 1
 */
public record YamlDocument(Path file, Object root, Map<String, Integer> lines) {

    /**
     * @throws FormatException if it is no single document of plain data, or a key stands twice in a map
     * @throws UncheckedIOException if it cannot be read
     */
    public static YamlDocument read(Path file) {
        try {
            return parse(file, StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(Files.readAllBytes(file))).toString());
        } catch (CharacterCodingException e) {
            throw new FormatException(file, "text", "is not valid UTF-8", e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** @param file what the text is called in messages */
    public static YamlDocument parse(Path file, String text) {
        try {
            var options = new LoaderOptions();
            options.setAllowDuplicateKeys(false);
            var yaml = new Yaml(new SafeConstructor(options));
            Map<String, Integer> lines = new HashMap<>();
            Node node = yaml.compose(new StringReader(text));
            if (node != null) {
                index(node, "", lines);
            }
            return new YamlDocument(file, yaml.load(text), lines);
        } catch (MarkedYAMLException e) {
            String place = e.getProblemMark() == null ? "YAML" : "line " + (e.getProblemMark().getLine() + 1);
            throw new FormatException(file, place, e.getProblem(), e);
        } catch (YAMLException e) {
            throw new FormatException(file, "YAML", e.getMessage(), e);
        }
    }

    private static void index(Node node, String path, Map<String, Integer> lines) {
        lines.put(path, node.getStartMark().getLine() + 1);
        switch (node) {
            case MappingNode map -> map.getValue().forEach(pair -> {
                if (pair.getKeyNode() instanceof ScalarNode key) {
                    String below = path.isEmpty() ? key.getValue() : path + "." + key.getValue();
                    index(pair.getValueNode(), below, lines);
                    lines.put(below, key.getStartMark().getLine() + 1);
                }
            });
            case SequenceNode list -> {
                for (int i = 0; i < list.getValue().size(); i++) {
                    index(list.getValue().get(i), path + "[" + i + "]", lines);
                }
            }
            default -> { }
        }
    }

    /** The root, which must be a map. */
    public Section section() {
        if (!(root instanceof Map<?, ?> map)) {
            throw new FormatException(file, "line " + lines.getOrDefault("", 1), "wanted a map of keys and values");
        }
        return new Section(file, "", map, lines);
    }
}
