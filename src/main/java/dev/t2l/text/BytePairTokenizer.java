package dev.t2l.text;

import java.nio.charset.StandardCharsets;
import java.util.Map;

/** GPT-2's byte-level byte-pair encoding (Radford et al. 2019, section 2.2) over a pre-tokeniser's words. */
final class BytePairTokenizer extends VocabularyTokenizer {
    private static final int NONE = -1;

    private final PreTokenizer splitter;
    private final MergeTable merges;
    private final Map<String, Integer> ids;
    private final int[] byteIds = new int[256];

    /** @throws IllegalArgumentException if a merge is not two texts with a space between */
    BytePairTokenizer(Vocabulary vocabulary, PreTokenizer splitter) {
        super(vocabulary, vocabulary.added());
        this.splitter = splitter;
        this.ids = vocabulary.index();
        for (int b = 0; b < 256; b++) {
            byteIds[b] = ids.getOrDefault(String.valueOf(ByteAlphabet.character(b)), NONE);
        }
        merges = new MergeTable(vocabulary.merges().size());
        for (int rank = 0; rank < vocabulary.merges().size(); rank++) {
            addMerge(vocabulary.merges().get(rank), rank);
        }
    }

    private void addMerge(String merge, int rank) {
        int space = merge.indexOf(' ', 1);
        if (space < 1 || space == merge.length() - 1) {
            throw new IllegalArgumentException("merge " + rank + ": wanted two texts with a space between, found '" + merge + "'");
        }
        String leftText = merge.substring(0, space);
        String rightText = merge.substring(space + 1);
        Integer left = ids.get(leftText);
        Integer right = ids.get(rightText);
        Integer merged = ids.get(leftText + rightText);
        if (left == null || right == null || merged == null) {
            throw new IllegalArgumentException("merge " + rank + " ('" + merge + "'): a part or the whole is not in the vocabulary");
        }
        merges.put(left, right, rank, merged);
    }

    @Override
    void encodePlain(String text, IntList out) {
        for (String word : splitter.split(text)) {
            encodeWord(word.getBytes(StandardCharsets.UTF_8), out);
        }
    }

    private void encodeWord(byte[] word, IntList out) {
        if (splitter.wholeWords()) {
            Integer whole = ids.get(spelling(word));
            if (whole != null && !vocabulary().isControl(whole)) {
                out.add(whole);
                return;
            }
        }
        PairMerging merging = new PairMerging(word.length) {
            @Override
            long join(int left, int right) {
                return merges.get(id[left], id[right]);
            }
        };
        int unknown = vocabulary().special().unknown().orElse(NONE);
        for (int i = 0; i < word.length; i++) {
            int id = byteIds[word[i] & 0xFF];
            if (id == NONE) {
                id = unknown;
            }
            if (id != NONE) {
                merging.append(i, i + 1, id);
            }
        }
        merging.run();
        for (int s = merging.first(); s >= 0; s = merging.after(s)) {
            out.add(merging.id[s]);
        }
    }

    private static String spelling(byte[] word) {
        StringBuilder text = new StringBuilder(word.length);
        for (byte b : word) {
            text.append(ByteAlphabet.character(b & 0xFF));
        }
        return text.toString();
    }

    @Override
    PieceText pieces() {
        return (id, atStart) -> {
            TokenType type = vocabulary().types().get(id);
            String token = vocabulary().tokens().get(id);
            return type == TokenType.NORMAL || type == TokenType.UNUSED ? ByteAlphabet.decode(token) : token.getBytes(StandardCharsets.UTF_8);
        };
    }
}
