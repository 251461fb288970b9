package dev.t2l.io;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * PEFT's {@code adapter_config.json} of a LoRA adapter, as far as it says what the adapter computes. What this project does not
 * compute (DoRA, trained biases, whole modules, initialisations that change the base's weights, ...) is refused by name.
 *
 * @param baseModel {@code base_model_name_or_path}, may be null
 * @param dropout   {@code lora_dropout}, for training only
 * @param taskType  {@code task_type}, may be null
 */
public record PeftConfig(String baseModel, PeftScaling scaling, PeftTargets targets, double dropout, String taskType) {
    /** The file's name in an adapter's folder. */
    public static final String FILE = "adapter_config.json";
    private static final JsonMapper JSON = new JsonMapper();
    private static final int MAX_RANK = 1 << 20;
    /** Keys that change what is computed; they must be absent, null, false or empty. */
    private static final List<String> REFUSED = List.of("use_dora", "use_qalora", "use_bdlora", "lora_bias", "modules_to_save", "layer_replication",
            "target_parameters", "trainable_token_indices", "alora_invocation_tokens", "arrow_config", "monteclora_config", "velora_config",
            "kasa_config", "megatron_config");
    /** Initialisations that leave the base's weights alone, besides true and false. */
    private static final Set<String> HARMLESS_INITIALISATIONS = Set.of("gaussian", "eva", "orthogonal");

    /**
     * Reads a folder's configuration, or the file itself.
     *
     * @throws FormatException if it is no LoRA configuration, or asks for something that is not supported
     */
    public static PeftConfig read(Path folderOrFile) {
        Path file = Files.isDirectory(folderOrFile) ? folderOrFile.resolve(FILE) : folderOrFile;
        return new Reader(file, StrictJson.object(file)).config();
    }

    private record Reader(Path file, JsonNode json) {

        PeftConfig config() {
            String type = text("peft_type");
            if (!"LORA".equals(type)) {
                throw problem("peft_type", "wanted LORA, found " + type);
            }
            for (String key : REFUSED) {
                if (active(json.get(key))) {
                    throw problem(key, json.get(key) + " is not supported");
                }
            }
            if (json.hasNonNull("bias") && !json.get("bias").asText().equals("none")) {
                throw problem("bias", json.get("bias") + " is not supported, only \"none\"");
            }
            JsonNode init = json.path("init_lora_weights");
            if (init.isTextual() && !HARMLESS_INITIALISATIONS.contains(init.textValue())) {
                throw problem("init_lora_weights", init + " changes the base model's weights and is not supported");
            }
            return new PeftConfig(text("base_model_name_or_path"), scaling(), targets(), json.path("lora_dropout").asDouble(0), text("task_type"));
        }

        private static boolean active(JsonNode value) {
            return value != null && !value.isNull() && !(value.isBoolean() && !value.booleanValue()) && !(value.isContainerNode() && value.isEmpty());
        }

        private PeftScaling scaling() {
            JsonNode rsLora = json.path("use_rslora");
            if (!rsLora.isMissingNode() && !rsLora.isNull() && !rsLora.isBoolean()) {
                throw problem("use_rslora", "wanted true or false, found " + rsLora);
            }
            return new PeftScaling(rank("r", json.path("r")), alpha("lora_alpha", json.path("lora_alpha")), rsLora.asBoolean(false),
                    pattern("rank_pattern", this::rank), pattern("alpha_pattern", this::alpha));
        }

        private int rank(String key, JsonNode value) {
            if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < 1 || value.intValue() > MAX_RANK) {
                throw problem(key, "wanted a rank of 1 to " + MAX_RANK + ", found " + value);
            }
            return value.intValue();
        }

        private double alpha(String key, JsonNode value) {
            if (!value.isNumber() || !Double.isFinite(value.doubleValue())) {
                throw problem(key, "wanted a number, found " + value);
            }
            return value.doubleValue();
        }

        private <T> Map<String, T> pattern(String key, BiFunction<String, JsonNode, T> reader) {
            JsonNode node = json.path(key);
            Map<String, T> pattern = new LinkedHashMap<>();
            if (active(node) && !node.isMissingNode()) {
                if (!node.isObject()) {
                    throw problem(key, "wanted an object, found " + node.getNodeType());
                }
                for (var e : node.properties()) {
                    checkExpression(key, e.getKey());
                    pattern.put(e.getKey(), reader.apply(key + " '" + e.getKey() + "'", e.getValue()));
                }
            }
            return Collections.unmodifiableMap(pattern);
        }

        private PeftTargets targets() {
            JsonNode target = json.path("target_modules");
            if (!active(target) || target.isMissingNode()) {
                throw problem("target_modules", "is missing");
            }
            return new PeftTargets(list("target_modules", JsonNode::isTextual, JsonNode::textValue), expression("target_modules"),
                    list("exclude_modules", JsonNode::isTextual, JsonNode::textValue), expression("exclude_modules"),
                    layers(), layersPattern());
        }

        private String expression(String key) {
            if (!json.path(key).isTextual()) {
                return null;
            }
            checkExpression(key, json.get(key).textValue());
            return json.get(key).textValue();
        }

        private List<Integer> layers() {
            JsonNode layers = json.path("layers_to_transform");
            return layers.isInt() ? List.of(layers.intValue()) : list("layers_to_transform", JsonNode::isInt, JsonNode::intValue);
        }

        private List<String> layersPattern() {
            JsonNode pattern = json.path("layers_pattern");
            List<String> all = pattern.isTextual() ? List.of(pattern.textValue()).stream().filter(p -> !p.isEmpty()).toList()
                    : list("layers_pattern", JsonNode::isTextual, JsonNode::textValue);
            all.forEach(p -> checkExpression("layers_pattern", p));
            return all;
        }

        /** The elements of a list; none if the value is absent, null or a string. */
        private <T> List<T> list(String key, Predicate<JsonNode> fits, Function<JsonNode, T> reader) {
            JsonNode node = json.path(key);
            if (node.isMissingNode() || node.isNull() || node.isTextual()) {
                return List.of();
            }
            List<T> values = new ArrayList<>();
            for (JsonNode element : node) {
                if (!fits.test(element)) {
                    throw problem(key, "holds " + element);
                }
                values.add(reader.apply(element));
            }
            if (!node.isArray()) {
                throw problem(key, "wanted a list, found " + node.getNodeType());
            }
            return List.copyOf(values);
        }

        private void checkExpression(String key, String expression) {
            try {
                new BoundedRegex(expression);
            } catch (IllegalArgumentException e) {
                throw new FormatException(file, key, e.getMessage(), e);
            }
        }

        private String text(String key) {
            JsonNode value = json.path(key);
            return value.isTextual() ? value.textValue() : null;
        }

        private FormatException problem(String key, String cause) {
            return new FormatException(file, key, cause);
        }
    }

    /** Writes the file that PEFT loads. */
    void write(Path file) {
        AtomicFile.write(file, toJson());
    }

    /** The file that PEFT loads, with inference_mode set. */
    public byte[] toJson() {
        ObjectNode json = JSON.createObjectNode();
        json.put("peft_type", "LORA").put("task_type", taskType).put("base_model_name_or_path", baseModel);
        json.putNull("auto_mapping").putNull("revision").put("inference_mode", true);
        json.put("r", scaling.rank());
        number(json, "lora_alpha", scaling.alpha());
        json.put("use_rslora", scaling.rsLora()).put("lora_dropout", dropout).put("bias", "none").put("fan_in_fan_out", false);
        ObjectNode ranks = json.putObject("rank_pattern");
        scaling.rankPattern().forEach(ranks::put);
        ObjectNode alphas = json.putObject("alpha_pattern");
        scaling.alphaPattern().forEach((key, alpha) -> number(alphas, key, alpha));
        writeTargets(json);
        json.put("init_lora_weights", true).putNull("modules_to_save").put("use_dora", false);
        return (json.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8);
    }

    private void writeTargets(ObjectNode json) {
        if (targets.expression() != null) {
            json.put("target_modules", targets.expression());
        } else {
            strings(json.putArray("target_modules"), targets.modules());
        }
        if (targets.excludedExpression() != null) {
            json.put("exclude_modules", targets.excludedExpression());
        } else if (!targets.excluded().isEmpty()) {
            strings(json.putArray("exclude_modules"), targets.excluded());
        }
        json.putNull("layers_to_transform").putNull("layers_pattern");
        if (!targets.layers().isEmpty()) {
            ArrayNode layers = json.putArray("layers_to_transform");
            targets.layers().forEach(layers::add);
        }
        if (!targets.layersPattern().isEmpty()) {
            strings(json.putArray("layers_pattern"), targets.layersPattern());
        }
    }

    private static void strings(ArrayNode array, List<String> values) {
        values.forEach(array::add);
    }

    /** Whole numbers are written as such: lora_alpha is declared an int. */
    private static void number(ObjectNode json, String key, double value) {
        if (value == Math.rint(value) && Math.abs(value) < 1e9) {
            json.put(key, (int) value);
        } else {
            json.put(key, value);
        }
    }
}
