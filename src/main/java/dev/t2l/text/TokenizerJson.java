package dev.t2l.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.t2l.io.FormatException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/**
 * What a tokenizer.json says about its vocabulary.
 *
 * @param file                where it was read
 * @param untruncated         the file with its truncation and padding off
 * @param tokens              text of id i; empty for an id without a token
 * @param added               added tokens, by id
 * @param marksOnlyTheStart   whether a word mark is put before a text but not before what follows an added token
 * @param pieces              the decoder
 */
record TokenizerJson(Path file, byte[] untruncated, List<String> tokens, List<AddedToken> added, boolean marksOnlyTheStart, PieceText pieces) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int MAX_IDS = 1 << 24;

    static TokenizerJson read(Path file) {
        ObjectNode root = (ObjectNode) FolderConfig.read(file);
        List<String> tokens = new ArrayList<>();
        JsonNode vocabulary = root.path("model").path("vocab");
        if (vocabulary.isArray()) {
            for (JsonNode entry : vocabulary) {
                tokens.add(entry.path(0).asText());
            }
        } else {
            vocabulary.properties().forEach(e -> put(file, tokens, e.getValue(), e.getKey()));
        }
        List<AddedToken> added = new ArrayList<>();
        for (JsonNode token : root.path("added_tokens")) {
            added.add(FolderConfig.addedToken(token.path("id").asInt(-1), token));
            put(file, tokens, token.path("id"), token.path("content").asText());
        }
        if (tokens.isEmpty()) {
            throw new FormatException(file, "model.vocab", "no token");
        }
        root.putNull("truncation");
        root.putNull("padding");
        boolean onlyStart = root.findValuesAsText("prepend_scheme").contains("first");
        return new TokenizerJson(file, bytes(file, root), List.copyOf(tokens), List.copyOf(added), onlyStart, JsonDecoder.of(file, root.path("decoder"), tokens, added));
    }

    private static void put(Path file, List<String> tokens, JsonNode id, String token) {
        int place = id.asInt(-1);
        if (!id.isInt() || place < 0 || place > MAX_IDS) {
            throw new FormatException(file, "token '" + token + "'", "wanted an id, found " + id);
        }
        if (place >= tokens.size()) {
            tokens.addAll(Collections.nCopies(place + 1 - tokens.size(), ""));
        }
        tokens.set(place, token);
    }

    /**
     * A copy that reads no added token and cannot spell a special one.
     *
     * @param later for what follows an added token
     */
    byte[] withoutSpecialTokens(boolean later) {
        ObjectNode copy;
        try {
            copy = (ObjectNode) JSON.readTree(untruncated);
        } catch (IOException e) {
            throw new IllegalStateException("cannot read back what was just written", e);
        }
        copy.set("added_tokens", JSON.createArrayNode());
        copy.putNull("post_processor");
        ObjectNode model = (ObjectNode) copy.path("model");
        Set<String> special = new HashSet<>();
        added.stream().filter(AddedToken::special).forEach(token -> special.add(token.content()));
        special.remove(model.path("unk_token").asText());
        JsonNode vocabulary = model.path("vocab");
        if (vocabulary instanceof ObjectNode byText) {
            byText.remove(special);
        } else if (vocabulary instanceof ArrayNode pieces) {
            int unknown = model.path("unk_id").asInt(-1);
            for (int id = 0; id < pieces.size(); id++) {
                if (id != unknown && special.contains(pieces.path(id).path(0).asText())) {
                    ((ArrayNode) pieces.path(id)).set(0, JsonNodeFactory.instance.textNode("no text is " + UUID.randomUUID()));
                }
            }
        }
        if (later) {
            copy.findParents("prepend_scheme").forEach(parent -> ((ObjectNode) parent).put("prepend_scheme", "never"));
        }
        return bytes(file, copy);
    }

    private static byte[] bytes(Path file, ObjectNode definition) {
        try {
            return JSON.writeValueAsBytes(definition);
        } catch (JsonProcessingException e) {
            throw new FormatException(file, "tokenizer", "cannot be written back: " + e.getOriginalMessage(), e);
        }
    }
}
