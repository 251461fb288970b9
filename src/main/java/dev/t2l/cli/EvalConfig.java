package dev.t2l.cli;

import dev.t2l.data.Section;
import dev.t2l.data.YamlDocument;
import dev.t2l.io.FormatException;
import dev.t2l.train.Recipes;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import picocli.CommandLine.Model.CommandSpec;

/**
 * Options of {@code t2l eval} in a YAML file or recipe. Keys are the options' names with _ for -; those that are NAME=VALUE ({@code t2l}, {@code lora},
 * {@code scale}, {@code benchmark}) are maps, or, where the name alone says it, lists. {@code kind: eval} tells it from configurations of training.
 */
final class EvalConfig {
    /** Values of {@code kind}. */
    private enum Kind { EVAL, SFT, RECON, LORA }

    private final Section root;
    private final Map<String, Object> options = new LinkedHashMap<>();

    private EvalConfig(Section root) {
        this.root = root;
    }

    /**
     * Reads a configuration.
     *
     * @return values by option
     * @throws FormatException naming file, line and key
     */
    static Map<String, Object> read(String fileOrRecipe) {
        var config = new EvalConfig(document(fileOrRecipe).section());
        config.read();
        return config.options;
    }

    private static YamlDocument document(String fileOrRecipe) {
        Path file = Path.of(fileOrRecipe);
        if (Files.isRegularFile(file)) {
            return YamlDocument.read(file);
        }
        if (Recipes.evaluations().contains(fileOrRecipe)) {
            return YamlDocument.parse(Path.of(fileOrRecipe + ".yaml"), Recipes.text(fileOrRecipe));
        }
        throw new FormatException(file, "configuration", "is neither a file nor a recipe; HINT: the recipes are " + String.join(", ", Recipes.evaluations()));
    }

    /** Gives their values to options that the command line does not give. */
    static void apply(Map<String, Object> options, CommandSpec command) {
        options.forEach((option, value) -> {
            if (!command.commandLine().getParseResult().hasMatchedOption(option)) {
                command.findOption(option).setValue(value);
            }
        });
    }

    private void read() {
        Kind kind = root.choice("kind", Kind.EVAL);
        if (kind != Kind.EVAL) {
            throw root.problem("kind", "is a configuration for t2l train");
        }
        text("base");
        path("data");
        text("suite");
        texts("tasks");
        path("benchmarks");
        named("benchmark");
        named("t2l");
        text("encoder");
        named("lora");
        paths("oracles");
        named("scale");
        texts("columns");
        text("compare");
        integer("descriptions", 1);
        integer("examples", 0);
        integer("max_new", 1);
        integer("max_prompt", 0);
        integer("batch", 0);
        integer("seed", 0);
        text("system");
        path("chat_template");
        path("out");
        path("table");
        root.done();
    }

    private static String option(String key) {
        return "--" + key.replace('_', '-');
    }

    private void text(String key) {
        root.text(key).ifPresent(value -> options.put(option(key), value));
    }

    private void path(String key) {
        root.text(key).ifPresent(value -> options.put(option(key), Path.of(value)));
    }

    private void texts(String key) {
        if (root.any(key) != null) {
            options.put(option(key), root.texts(key, List.of()));
        }
    }

    private void paths(String key) {
        if (root.any(key) != null) {
            options.put(option(key), root.texts(key, List.of()).stream().map(Path::of).toList());
        }
    }

    private void integer(String key, int least) {
        OptionalInt value = root.integer(key, least);
        if (value.isPresent()) {
            options.put(option(key), key.equals("seed") ? (Object) Long.valueOf(value.getAsInt()) : (Object) Integer.valueOf(value.getAsInt()));
        }
    }

    private void named(String key) {
        if (!(root.any(key) instanceof Map<?, ?> map)) {
            if (root.any(key) instanceof String) {
                text(key);
                options.computeIfPresent(option(key), (_, value) -> List.of(value));
            } else {
                texts(key);
            }
            return;
        }
        List<String> values = new ArrayList<>();
        map.forEach((name, value) -> {
            if (!(value instanceof String)) {
                throw root.problem(key, "wanted texts by name, found " + FormatException.inWords(value) + " for '" + name + "'");
            }
            values.add(name + "=" + value);
        });
        options.put(option(key), values);
    }
}
