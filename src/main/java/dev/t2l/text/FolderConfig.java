package dev.t2l.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.io.FormatException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** What the JSON files beside a tokeniser say: tokenizer_config.json, special_tokens_map.json, added_tokens.json, generation_config.json, config.json. */
final class FolderConfig {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path folder;
    private final JsonNode tokenizer;
    private final JsonNode specialTokens;

    private FolderConfig(Path folder) {
        this.folder = folder;
        tokenizer = read(folder.resolve("tokenizer_config.json"));
        specialTokens = read(folder.resolve("special_tokens_map.json"));
    }

    static FolderConfig of(Path folder) {
        return new FolderConfig(folder);
    }

    /** The JSON object in a file; a missing node where there is no file. */
    static JsonNode read(Path file) {
        if (!Files.isRegularFile(file)) {
            return JSON.missingNode();
        }
        try {
            JsonNode node = JSON.readTree(file.toFile());
            if (!node.isObject()) {
                throw new FormatException(file, "start", "wanted a JSON object, found " + node.getNodeType());
            }
            return node;
        } catch (JsonProcessingException e) {
            throw new FormatException(file, "line " + (e.getLocation() == null ? "?" : e.getLocation().getLineNr()), "not JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    JsonNode tokenizerConfig() {
        return tokenizer;
    }

    boolean flag(String key, boolean otherwise) {
        return tokenizer.path(key).asBoolean(otherwise);
    }

    /** The text of a token with a role, such as {@code bos_token}. */
    Optional<String> text(String role) {
        for (JsonNode file : List.of(tokenizer, specialTokens)) {
            JsonNode value = file.path(role);
            JsonNode text = value.isObject() ? value.path("content") : value;
            if (text.isTextual()) {
                return Optional.of(text.asText());
            }
        }
        return Optional.empty();
    }

    OptionalInt id(String role, List<String> vocabulary) {
        int id = text(role).map(vocabulary::indexOf).orElse(-1);
        return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** The tokens that the files add to a vocabulary, by id. */
    List<AddedToken> addedTokens() {
        Map<Integer, AddedToken> byId = new TreeMap<>();
        read(folder.resolve("added_tokens.json")).properties().forEach(e -> byId.put(e.getValue().asInt(), AddedToken.plain(e.getValue().asInt(), e.getKey(), true)));
        tokenizer.path("added_tokens_decoder").properties().forEach(e -> {
            int id = parseId(e.getKey());
            byId.put(id, addedToken(id, e.getValue()));
        });
        return new ArrayList<>(byId.values());
    }

    private int parseId(String key) {
        try {
            return Integer.parseInt(key);
        } catch (NumberFormatException e) {
            throw new FormatException(folder.resolve("tokenizer_config.json"), "added_tokens_decoder", "wanted an id as key, found '" + key + "'", e);
        }
    }

    static AddedToken addedToken(int id, JsonNode token) {
        return new AddedToken(id, token.path("content").asText(), token.path("special").asBoolean(), token.path("lstrip").asBoolean(), token.path("rstrip").asBoolean(),
                token.path("single_word").asBoolean());
    }

    /** The end of sequence, what generation_config.json and config.json name, and known ends of turns. */
    Set<Integer> endOfGeneration(OptionalInt eos, List<AddedToken> added) {
        TreeSet<Integer> ends = Vocabulary.turnEnds(added);
        eos.ifPresent(ends::add);
        for (String name : List.of("generation_config.json", "config.json")) {
            JsonNode ids = read(folder.resolve(name)).path("eos_token_id");
            if (ids.isInt()) {
                ends.add(ids.asInt());
            }
            ids.forEach(id -> ends.add(id.asInt()));
        }
        return ends;
    }
}
