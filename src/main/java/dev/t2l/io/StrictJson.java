package dev.t2l.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** JSON of files that are not trusted: bounded depth and size, valid UTF-8, no name twice, nothing after the document. */
final class StrictJson {
    private static final int MAX_DEPTH = 32;
    private static final long MAX_FILE = 100_000_000;
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).maxNumberLength(400).build())
            .build();
    private static final JsonMapper MAPPER = JsonMapper.builder(FACTORY).enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

    private StrictJson() {
    }

    /** A streaming parser of {@code text}. */
    static JsonParser parser(String text) throws IOException {
        return FACTORY.createParser(text);
    }

    /**
     * The object in a file.
     *
     * @throws FormatException if it is no JSON object, or breaks a limit
     */
    static JsonNode object(Path file) {
        try {
            long size = Files.size(file);
            if (size > MAX_FILE) {
                throw new FormatException(file, "size", size + " bytes; a JSON file of more than " + MAX_FILE + " is not read");
            }
            JsonNode tree = MAPPER.readTree(utf8(Files.readAllBytes(file)));
            if (!tree.isObject()) {
                throw new FormatException(file, "start", "wanted a JSON object, found " + tree.getNodeType());
            }
            return tree;
        } catch (CharacterCodingException e) {
            throw new FormatException(file, "text", "is not valid UTF-8", e);
        } catch (JsonProcessingException e) {
            throw new FormatException(file, place(e), cause(e), e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Any document. */
    static JsonNode parse(String text) throws IOException {
        return MAPPER.readTree(text);
    }

    /** Decodes strictly: no byte is replaced. */
    static String utf8(byte[] bytes) throws CharacterCodingException {
        return StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT).decode(ByteBuffer.wrap(bytes)).toString();
    }

    /** Whether every surrogate of {@code text} (an escape such as \ud800 makes one) has its partner. */
    static boolean wellFormed(String text) {
        return StandardCharsets.UTF_8.newEncoder().canEncode(text);
    }

    static String place(JsonProcessingException e) {
        return e.getLocation() == null ? "JSON" : "JSON line " + e.getLocation().getLineNr() + ", column " + e.getLocation().getColumnNr();
    }

    /** Jackson's message, without the quoted source. */
    static String cause(JsonProcessingException e) {
        return e.getOriginalMessage();
    }
}
