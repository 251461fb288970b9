package dev.t2l.train;

import dev.t2l.data.YamlDocument;
import dev.t2l.io.FormatException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Configurations that come with the library; the folder {@code recipes} of its sources. */
public final class Recipes {
    private static final List<String> NAMES = List.of("paper-sft-mistral", "paper-recon-9", "smollm2-sft", "smollm2-recon", "smollm2-mt", "smollm2-hyperdecoders", "smollm2-demo", "oracle");
    private static final List<String> EVALUATIONS = List.of("paper-mistral", "paper-llama", "paper-gemma");

    private Recipes() {
    }

    /** Of training runs. */
    public static List<String> names() {
        return NAMES;
    }

    /** Of evaluations, for {@code t2l eval}. */
    public static List<String> evaluations() {
        return EVALUATIONS;
    }

    /**
     * A recipe's YAML, comments included.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    public static String text(String name) {
        if (!NAMES.contains(name) && !EVALUATIONS.contains(name)) {
            throw new IllegalArgumentException("no recipe is called '" + name + "'; HINT: there are " + String.join(", ", NAMES) + ", " + String.join(", ", EVALUATIONS));
        }
        try (InputStream in = Recipes.class.getResourceAsStream("recipes/" + name + ".yaml")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static YamlDocument open(String fileOrRecipe) {
        Path file = Path.of(fileOrRecipe);
        if (Files.isRegularFile(file)) {
            return YamlDocument.read(file);
        }
        if (NAMES.contains(fileOrRecipe)) {
            return YamlDocument.parse(Path.of(fileOrRecipe + ".yaml"), text(fileOrRecipe));
        }
        throw new FormatException(file, "configuration", "is neither a file nor a recipe; HINT: the recipes are " + String.join(", ", NAMES));
    }
}
