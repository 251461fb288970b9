package dev.t2l.text;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * BERT's WordPiece: each word is spelt by the longest pieces from the left, pieces inside a word starting with {@code ##}; a word that
 * cannot be spelt, or has more than 100 characters, is one [UNK].
 */
final class WordPieceTokenizer extends VocabularyTokenizer {
    static final String CONTINUATION = "##";
    private static final int MAX_CHARACTERS = 100;

    private final BertNormalizer normalizer;
    private final Map<String, Integer> wordStarts = new HashMap<>();
    private final Map<String, Integer> continuations = new HashMap<>();
    private final int unknown;
    private int longest;

    /**
     * @param vocabulary tokens in the form of vocab.txt
     * @throws IllegalArgumentException if there is no unknown token
     */
    WordPieceTokenizer(Vocabulary vocabulary, AddedTokens added, BertNormalizer normalizer) {
        super(vocabulary, added);
        this.normalizer = normalizer;
        for (int id = 0; id < vocabulary.size(); id++) {
            String token = vocabulary.tokens().get(id);
            longest = Math.max(longest, token.length());
            wordStarts.put(token, id);
            if (token.startsWith(CONTINUATION)) {
                continuations.put(token.substring(CONTINUATION.length()), id);
            }
        }
        unknown = vocabulary.special().unknown().orElseThrow(() -> new IllegalArgumentException("WordPiece vocabulary: no unknown token ([UNK])"));
    }

    String normalize(String text) {
        return normalizer.apply(WellFormed.of(text));
    }

    @Override
    void encodePlain(String text, IntList out) {
        for (String word : BertNormalizer.words(normalizer.apply(text))) {
            encodeWord(word, out);
        }
    }

    private void encodeWord(String word, IntList out) {
        if (word.codePointCount(0, word.length()) > MAX_CHARACTERS) {
            out.add(unknown);
            return;
        }
        IntList pieces = new IntList();
        int start = 0;
        while (start < word.length()) {
            Map<String, Integer> candidates = start == 0 ? wordStarts : continuations;
            int end = Math.min(word.length(), start + longest);
            Integer id = null;
            while (end > start && (id = candidates.get(word.substring(start, end))) == null) {
                end--;
            }
            if (id == null) {
                out.add(unknown);
                return;
            }
            pieces.add(id);
            start = end;
        }
        out.addAll(pieces.toArray());
    }

    @Override
    int secondTypeId() {
        return 1;
    }

    /** Words with a space between, and none before the marks and contractions that the Hugging Face decoder cleans up. */
    @Override
    PieceText pieces() {
        return (id, atStart) -> wordPiece(vocabulary().tokens().get(id), CONTINUATION, atStart, true).getBytes(StandardCharsets.UTF_8);
    }

    static String wordPiece(String token, String continuation, boolean atStart, boolean cleanUp) {
        String text = atStart ? token : token.startsWith(continuation) ? token.substring(continuation.length()) : " " + token;
        return cleanUp ? text.replace(" .", ".").replace(" ?", "?").replace(" !", "!").replace(" ,", ",").replace(" ' ", "'").replace(" n't", "n't")
                .replace(" 'm", "'m").replace(" do not", " don't").replace(" 's", "'s").replace(" 've", "'ve").replace(" 're", "'re") : text;
    }
}
