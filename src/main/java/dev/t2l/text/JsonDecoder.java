package dev.t2l.text;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.io.FormatException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The {@code decoder} of a tokenizer.json as {@link PieceText}: ByteLevel, WordPiece, Metaspace, none, and the SentencePiece sequence. */
final class JsonDecoder {
    private JsonDecoder() {
    }

    /** The decoder; of an unknown kind, one that says so when it is used. */
    static PieceText of(Path file, JsonNode decoder, List<String> tokens, List<AddedToken> added) {
        Set<Integer> addedIds = new HashSet<>();
        added.forEach(token -> addedIds.add(token.id()));
        String type = decoder.path("type").asText("none");
        return switch (type) {
            case "ByteLevel" -> (id, atStart) -> addedIds.contains(id) ? utf8(tokens.get(id)) : ByteAlphabet.decode(tokens.get(id));
            case "WordPiece" -> wordPiece(decoder, tokens);
            case "Metaspace" -> metaspace(decoder, tokens);
            case "Sequence" -> sequence(file, decoder.path("decoders"), tokens, addedIds);
            case "none" -> (id, atStart) -> utf8(atStart ? tokens.get(id) : " " + tokens.get(id));
            default -> unsupported(file, type);
        };
    }

    private static PieceText unsupported(Path file, String type) {
        return (id, atStart) -> {
            throw new FormatException(file, "decoder", "type '" + type + "' is not supported; wanted ByteLevel, WordPiece, Metaspace or a sequence for SentencePiece");
        };
    }

    private static PieceText wordPiece(JsonNode decoder, List<String> tokens) {
        String prefix = decoder.path("prefix").asText("##");
        boolean cleanUp = decoder.path("cleanup").asBoolean(true);
        return (id, atStart) -> utf8(WordPieceTokenizer.wordPiece(tokens.get(id), prefix, atStart, cleanUp));
    }

    private static PieceText metaspace(JsonNode decoder, List<String> tokens) {
        String mark = decoder.path("replacement").asText("\u2581");
        boolean prepends = !decoder.path("prepend_scheme").asText("always").equals("never") && decoder.path("add_prefix_space").asBoolean(true);
        return (id, atStart) -> utf8(tokens.get(id).replace(mark, atStart && prepends ? "" : " "));
    }

    /** Replace, ByteFallback, Fuse and Strip at the start, in any number, or a sequence of one of the simple decoders. */
    private static PieceText sequence(Path file, JsonNode steps, List<String> tokens, Set<Integer> addedIds) {
        boolean bytes = false;
        int strip = 0;
        String stripped = " ";
        String from = null;
        String to = "";
        for (JsonNode step : steps) {
            String type = step.path("type").asText();
            switch (type) {
                case "Fuse" -> { }
                case "ByteFallback" -> bytes = true;
                case "Replace" -> {
                    if (from != null || !step.path("pattern").path("String").isTextual()) {
                        return unsupported(file, "Sequence with Replace of " + step.path("pattern"));
                    }
                    from = step.path("pattern").path("String").asText();
                    to = step.path("content").asText();
                }
                case "Strip" -> {
                    if (step.path("stop").asInt() != 0) {
                        return unsupported(file, "Sequence with Strip at the end");
                    }
                    strip += step.path("start").asInt();
                    stripped = step.path("content").asText(" ");
                }
                default -> {
                    boolean alone = steps.size() == 1;
                    return alone ? of(file, step, tokens, addedIds.stream().map(id -> AddedToken.plain(id, tokens.get(id), false)).toList()) : unsupported(file, "Sequence with " + type);
                }
            }
        }
        return new Sentence(tokens, bytes, from, to, strip, stripped);
    }

    /** Pieces whose start of word is a visible mark, with bytes spelt {@code <0x0A>}. */
    private record Sentence(List<String> tokens, boolean bytes, String from, String to, int strip, String stripped) implements PieceText {
        @Override
        public byte[] bytes(int id, boolean atStart) {
            String token = tokens.get(id);
            if (bytes && token.length() == 6 && token.matches("<0x[0-9A-Fa-f]{2}>")) {
                return new byte[] {(byte) Integer.parseInt(token.substring(3, 5), 16)};
            }
            String text = from == null ? token : token.replace(from, to);
            for (int i = 0; atStart && i < strip && text.startsWith(stripped); i++) {
                text = text.substring(stripped.length());
            }
            return utf8(text);
        }
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
