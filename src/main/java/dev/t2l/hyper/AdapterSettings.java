package dev.t2l.hyper;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.io.AtomicFile;
import dev.t2l.io.FormatException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The kind of adapters that a hypernetwork emits: PEFT's LoraConfig, {@code adapter_config.json}. What a generated adapter could
 * not honour (DoRA, per-module ranks ...) is refused.
 *
 * @param targetModules where the file gives a list; PEFT also knows patterns
 * @param json          the whole file
 */
record AdapterSettings(Path file, int rank, double alpha, boolean useRslora, Optional<List<String>> targetModules,
        Optional<String> baseModel, JsonNode json) {
    private static final long MAX_FILE = 16L << 20;
    private static final JsonMapper JSON = JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

    /**
     * @throws FormatException if the file is no LoRA configuration, or one that hypernetworks do not emit
     * @throws UncheckedIOException if it cannot be read
     */
    static AdapterSettings read(Path file) {
        JsonNode json = parse(file);
        if (json == null || !json.isObject()) {
            throw new FormatException(file, "root", "wanted a JSON object, found " + (json == null ? "nothing" : json.getNodeType()));
        }
        require(file, json, "peft_type", json.path("peft_type").asText("LORA").equals("LORA"), "LORA");
        require(file, json, "bias", json.path("bias").asText("none").equals("none"), "\"none\"");
        for (String flag : List.of("use_dora", "lora_bias", "fan_in_fan_out")) {
            require(file, json, flag, !json.path(flag).asBoolean(false), "false");
        }
        for (String pattern : List.of("rank_pattern", "alpha_pattern")) {
            require(file, json, pattern, json.path(pattern).isEmpty(), "{}: a hypernetwork has one rank and one alpha");
        }
        require(file, json, "r", json.path("r").canConvertToInt() && json.path("r").isIntegralNumber() && json.path("r").intValue() > 0,
                "a positive integer");
        require(file, json, "lora_alpha", json.path("lora_alpha").isNumber(), "a number");
        JsonNode rslora = json.path("use_rslora");
        require(file, json, "use_rslora", rslora.isMissingNode() || rslora.isNull() || rslora.isBoolean(), "true or false");
        return new AdapterSettings(file, json.get("r").intValue(), json.get("lora_alpha").doubleValue(), rslora.asBoolean(false),
                targets(file, json), Optional.ofNullable(json.path("base_model_name_or_path").textValue()), json);
    }

    private static JsonNode parse(Path file) {
        try {
            long size = Files.size(file);
            if (size > MAX_FILE) {
                throw new FormatException(file, "size", size + " bytes; more than " + MAX_FILE + " are not read");
            }
            return JSON.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            throw new FormatException(file, "JSON", e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Optional<List<String>> targets(Path file, JsonNode json) {
        JsonNode modules = json.path("target_modules");
        if (!modules.isArray()) {
            require(file, json, "target_modules", modules.isMissingNode() || modules.isNull() || modules.isTextual(), "a list or a pattern");
            return Optional.empty();
        }
        List<String> names = new ArrayList<>();
        modules.forEach(m -> {
            require(file, json, "target_modules", m.isTextual(), "a list of names");
            names.add(m.textValue());
        });
        return Optional.of(List.copyOf(names));
    }

    private static void require(Path file, JsonNode json, String key, boolean holds, String wanted) {
        if (!holds) {
            throw new FormatException(file, "key '" + key + "'", "wanted " + wanted + ", found " + (json.has(key) ? json.get(key) : "nothing"));
        }
    }

    LoraShape shape(int layers) {
        return new LoraShape(rank, alpha, useRslora, layers);
    }

    void write(Path to) {
        try {
            AtomicFile.write(to, JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(json));
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }
}
