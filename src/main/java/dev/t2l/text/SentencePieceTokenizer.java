package dev.t2l.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * SentencePiece's BPE model (Kudo and Richardson 2018; {@code bpe_model.cc} defines the order): neighbours merge by the score of the
 * piece they give. User-defined pieces are whole from the start; a character without a piece becomes its bytes' tokens, or the
 * unknown token (one for a run of them) where the vocabulary has no bytes.
 */
final class SentencePieceTokenizer extends VocabularyTokenizer {
    private static final int NONE = -1;

    private final SentencePieceNormalizer normalizer;
    private final byte[] unknownSurface;
    private final Map<String, Integer> mergeable = new HashMap<>();
    private final int[] rank;
    private final int[] byteIds;

    /**
     * @param unknownSurface what an unknown token decodes to
     * @throws IllegalArgumentException if a byte token is malformed, some bytes are missing, or there are neither bytes nor an unknown token
     */
    SentencePieceTokenizer(Vocabulary vocabulary, AddedTokens added, SentencePieceNormalizer normalizer, String unknownSurface) {
        super(vocabulary, added);
        this.normalizer = normalizer;
        this.unknownSurface = unknownSurface.getBytes(StandardCharsets.UTF_8);
        if (vocabulary.scores().length != vocabulary.size()) {
            throw new IllegalArgumentException("SentencePiece vocabulary: wanted a score for each of " + vocabulary.size() + " tokens, found none");
        }
        for (int id = 0; id < vocabulary.size(); id++) {
            switch (vocabulary.types().get(id)) {
                case NORMAL, USER_DEFINED, UNUSED -> mergeable.put(vocabulary.tokens().get(id), id);
                case CONTROL, UNKNOWN, BYTE -> { }
            }
        }
        rank = ranks(vocabulary.scores());
        byteIds = byteTokens(vocabulary);
        if (byteIds.length == 0 && vocabulary.special().unknown().isEmpty()) {
            throw new IllegalArgumentException("SentencePiece vocabulary: neither byte tokens nor an unknown token");
        }
    }

    /** Whether a text gets a space before it. */
    boolean addsPrefix() {
        return normalizer.addPrefix();
    }

    /** Places in the order of falling scores; equal scores share one. */
    private static int[] ranks(float[] scores) {
        int[] order = IntStream.range(0, scores.length).boxed().sorted(Comparator.comparingDouble(i -> -scores[i])).mapToInt(i -> i).toArray();
        int[] rank = new int[scores.length];
        for (int i = 1; i < order.length; i++) {
            rank[order[i]] = rank[order[i - 1]] + (scores[order[i]] == scores[order[i - 1]] ? 0 : 1);
        }
        return rank;
    }

    /** [256] the token of each byte; empty where the vocabulary has none. */
    private static int[] byteTokens(Vocabulary vocabulary) {
        int[] ids = new int[256];
        Arrays.fill(ids, NONE);
        int found = 0;
        for (int id = 0; id < vocabulary.size(); id++) {
            if (vocabulary.types().get(id) == TokenType.BYTE) {
                int value = byteValue(vocabulary.tokens().get(id));
                found += ids[value] == NONE ? 1 : 0;
                ids[value] = id;
            }
        }
        if (found != 0 && found != 256) {
            throw new IllegalArgumentException("SentencePiece vocabulary: wanted tokens for all 256 bytes or none, found " + found);
        }
        return found == 0 ? new int[0] : ids;
    }

    private static int byteValue(String token) {
        if (!token.matches("<0x[0-9A-Fa-f]{2}>")) {
            throw new IllegalArgumentException("SentencePiece vocabulary: byte token '" + token + "' is not of the form <0x0A>");
        }
        return Integer.parseInt(token.substring(3, 5), 16);
    }

    /** A text gets its prefix at the start and after a control token. User-defined tokens are found after normalising. */
    @Override
    void encodeText(String text, AddedTokens.Permission permission, IntList out) {
        boolean atStart = true;
        int done = 0;
        for (AddedTokens.Match match : added().find(text, (token, start, end) -> permission.isMarker(token) && permission.allows(token, start, end))) {
            encode(text.substring(done, match.start()), atStart, permission, out);
            out.add(match.token().id());
            atStart = match.token().special();
            done = match.end();
        }
        encode(text.substring(done), atStart, permission, out);
    }

    private void encode(String raw, boolean atStart, AddedTokens.Permission permission, IntList out) {
        AddedTokens.Permission wholePieces = (token, start, end) -> !token.special() && !permission.isMarker(token);
        String text = normalizer.apply(raw, atStart, added().find(raw, wholePieces));
        int done = 0;
        for (AddedTokens.Match match : added().find(text, wholePieces)) {
            encodePlain(text.substring(done, match.start()), out);
            out.add(match.token().id());
            done = match.end();
        }
        encodePlain(text.substring(done), out);
    }

    @Override
    void encodePlain(String text, IntList out) {
        Map<String, Integer> unusedCuts = new HashMap<>();
        PairMerging merging = new PairMerging(text.length()) {
            @Override
            long join(int left, int right) {
                String piece = text.substring(start[left], end[right]);
                Integer merged = mergeable.get(piece);
                if (merged == null) {
                    return NEVER;
                }
                if (vocabulary().types().get(merged) == TokenType.UNUSED) {
                    unusedCuts.put(piece, end[left] - start[left]);
                }
                return merge(rank[merged], merged);
            }
        };
        for (int i = 0; i < text.length();) {
            int next = i + Character.charCount(text.codePointAt(i));
            merging.append(i, next, mergeable.getOrDefault(text.substring(i, next), NONE));
            i = next;
        }
        merging.run();
        boolean afterUnknown = false;
        for (int s = merging.first(); s >= 0; s = merging.after(s)) {
            int id = merging.id[s];
            if (id != NONE && vocabulary().types().get(id) == TokenType.UNUSED) {
                emitParts(text.substring(merging.start[s], merging.end[s]), unusedCuts, out);
            } else if (id != NONE) {
                out.add(id);
            } else if (byteIds.length > 0) {
                emitBytes(text.substring(merging.start[s], merging.end[s]), out);
            } else if (!afterUnknown) {
                out.add(vocabulary().special().unknown().getAsInt());
            }
            afterUnknown = id == NONE;
        }
    }

    private void emitBytes(String character, IntList out) {
        for (byte b : character.getBytes(StandardCharsets.UTF_8)) {
            out.add(byteIds[b & 0xFF]);
        }
    }

    /** An unused piece is spelt by the two that gave it, and so on down. */
    private void emitParts(String piece, Map<String, Integer> cuts, IntList out) {
        int id = mergeable.getOrDefault(piece, NONE);
        Integer cut = cuts.get(piece);
        if (cut != null && id != NONE && vocabulary().types().get(id) == TokenType.UNUSED) {
            emitParts(piece.substring(0, cut), cuts, out);
            emitParts(piece.substring(cut), cuts, out);
        } else if (id != NONE) {
            out.add(id);
        } else if (byteIds.length > 0) {
            emitBytes(piece, out);
        } else {
            out.add(vocabulary().special().unknown().getAsInt());
        }
    }

    @Override
    PieceText pieces() {
        return new PieceText() {
            @Override
            public byte[] bytes(int id, boolean atStart) {
                String token = vocabulary().tokens().get(id);
                return switch (vocabulary().types().get(id)) {
                    case BYTE -> new byte[] {(byte) byteValue(token)};
                    case UNKNOWN -> unknownSurface;
                    case CONTROL -> token.getBytes(StandardCharsets.UTF_8);
                    case NORMAL, USER_DEFINED, UNUSED -> normalizer.surface(token, atStart);
                };
            }

            @Override
            public boolean startLastsUntilText() {
                return normalizer.removeExtraWhitespaces();
            }
        };
    }
}
