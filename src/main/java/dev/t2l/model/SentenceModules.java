package dev.t2l.model;

import dev.t2l.io.FormatException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * How an encoder's folder wants to be used, as sentence-transformers writes it: {@code modules.json}, {@code 1_Pooling/config.json},
 * {@code sentence_bert_config.json}, {@code config_sentence_transformers.json}. Modules that would change the vectors in ways not
 * supported here are refused.
 *
 * @param transformer folder of config.json and the weights
 * @param pooling     empty if the folder does not say
 * @param normalise   vectors are scaled to length 1
 * @param maxTokens   texts are cut to so many tokens, special ones included
 * @param lowercase   texts are lower-cased before they are tokenised
 * @param prompt      what is put before each text; mostly empty
 */
public record SentenceModules(Path transformer, Optional<Pooling> pooling, boolean normalise, int maxTokens, boolean lowercase, String prompt) {

    /** Reads a folder; one without any of the files says nothing. */
    public static SentenceModules read(Path folder) {
        Path list = folder.resolve("modules.json");
        List<JsonConfig> modules = Files.exists(list) ? JsonConfig.readArray(list) : List.of();
        Path transformer = folder;
        Path poolingFolder = folder.resolve("1_Pooling");
        boolean normalise = false;
        for (int i = 0; i < modules.size(); i++) {
            JsonConfig module = modules.get(i);
            String type = module.text("type", "");
            switch (type.substring(type.lastIndexOf('.') + 1) + " " + i) {
                case "Transformer 0" -> transformer = inside(folder, module);
                case "Pooling 1" -> poolingFolder = inside(folder, module);
                case "Normalize 2" -> normalise = true;
                default -> throw module.refuse("type", "module " + i + ": wanted Transformer, Pooling and at most Normalize, in this order");
            }
        }
        Optional<Pooling> pooling = JsonConfig.readIfThere(poolingFolder.resolve("config.json")).map(SentenceModules::pooling);
        Optional<JsonConfig> use = JsonConfig.readIfThere(transformer.resolve("sentence_bert_config.json"));
        return new SentenceModules(transformer, pooling, normalise, maxTokens(transformer, use),
                use.map(json -> json.flag("do_lower_case", false)).orElse(false), prompt(folder));
    }

    private static Path inside(Path folder, JsonConfig module) {
        Path path = folder.resolve(module.text("path", "")).normalize();
        if (!path.startsWith(folder.normalize())) {
            throw module.refuse("path", "wanted a path inside the model's folder");
        }
        return path;
    }

    private static Pooling pooling(JsonConfig json) {
        String prefix = "pooling_mode_";
        List<String> modes = json.has("pooling_mode") ? List.of(json.text("pooling_mode", ""))
                : json.keys().stream().filter(key -> key.startsWith(prefix) && json.flag(key, false)).map(key -> key.substring(prefix.length())).toList();
        return switch (String.join("+", modes)) {
            case "cls_token", "cls" -> Pooling.CLS;
            case "mean_tokens", "mean" -> Pooling.MEAN;
            case "lasttoken" -> Pooling.LAST_TOKEN;
            default -> throw new FormatException(json.file(), "pooling mode", "wanted one of cls, mean and last token, found " + modes);
        };
    }

    /** As sentence-transformers: what it wrote, else what the model and its tokenizer allow. */
    private static int maxTokens(Path transformer, Optional<JsonConfig> use) {
        if (use.isPresent() && use.get().has("max_seq_length")) {
            return use.get().integer("max_seq_length", 2);
        }
        int positions = JsonConfig.readIfThere(transformer.resolve("config.json"))
                .map(json -> json.integer("max_position_embeddings", 2, Integer.MAX_VALUE)).orElse(Integer.MAX_VALUE);
        double tokenizer = JsonConfig.readIfThere(transformer.resolve("tokenizer_config.json"))
                .map(json -> json.positive("model_max_length", Integer.MAX_VALUE)).orElse((double) Integer.MAX_VALUE);
        return (int) Math.min(positions, tokenizer);
    }

    private static String prompt(Path folder) {
        Optional<JsonConfig> json = JsonConfig.readIfThere(folder.resolve("config_sentence_transformers.json"));
        String name = json.map(j -> j.text("default_prompt_name", "")).orElse("");
        return name.isEmpty() ? "" : json.orElseThrow().object("prompts").text(name, "");
    }

    /** What is tokenised for a text. */
    public String prepare(String text) {
        return lowercase ? (prompt + text).toLowerCase(Locale.ROOT) : prompt + text;
    }
}
