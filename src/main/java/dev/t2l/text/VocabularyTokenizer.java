package dev.t2l.text;

import java.util.Arrays;
import java.util.OptionalInt;

/** A tokeniser over a {@link Vocabulary}, in plain Java. */
abstract sealed class VocabularyTokenizer extends Tokenizer permits BytePairTokenizer, SentencePieceTokenizer, WordPieceTokenizer {
    private final Vocabulary vocabulary;

    VocabularyTokenizer(Vocabulary vocabulary, AddedTokens added) {
        super(added, vocabulary.special());
        this.vocabulary = vocabulary;
    }

    final Vocabulary vocabulary() {
        return vocabulary;
    }

    /** Ids of what lies between added tokens. */
    abstract void encodePlain(String text, IntList out);

    /** Type of the second text of a pair. */
    int secondTypeId() {
        return 0;
    }

    void encodeText(String text, AddedTokens.Permission permission, IntList out) {
        int done = 0;
        for (AddedTokens.Match match : added().find(text, permission)) {
            if (match.start() > done) {
                encodePlain(text.substring(done, match.start()), out);
            }
            out.add(match.token().id());
            done = match.end();
        }
        if (done < text.length()) {
            encodePlain(text.substring(done), out);
        }
    }

    @Override
    final int[] encode(String text, boolean addSpecialTokens, AddedTokens.Permission permission) {
        IntList ids = new IntList();
        if (addSpecialTokens) {
            ids.addAll(special().prefix());
        }
        encodeText(text, permission, ids);
        if (addSpecialTokens) {
            ids.addAll(special().suffix());
        }
        return ids.toArray();
    }

    @Override
    final int[] prefix() {
        return special().prefix();
    }

    @Override
    final int[] suffix() {
        return special().suffix();
    }

    /** [CLS] A [SEP] B [SEP] for BERT; both texts with their BOS and EOS otherwise. */
    @Override
    final Encoding pair(String first, String second) {
        int[] a = encode(first, true, AddedTokens.Permission.ALL);
        int[] b = encode(second, true, AddedTokens.Permission.ALL);
        if (secondTypeId() != 0) {
            b = Arrays.copyOfRange(b, prefix().length, b.length);
        }
        int[] ids = new Truncation.Pair(a, b).ids();
        int[] types = new int[ids.length];
        Arrays.fill(types, a.length, ids.length, secondTypeId());
        return new Encoding(ids, types);
    }

    @Override
    public final int vocabularySize() {
        return vocabulary.size();
    }

    @Override
    public final String token(int id) {
        checkId(id);
        return vocabulary.tokens().get(id);
    }

    @Override
    public final OptionalInt id(String token) {
        int id = vocabulary.tokens().indexOf(token);
        return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    }

    @Override
    public final boolean isSpecial(int id) {
        checkId(id);
        return vocabulary.isControl(id) || special().endOfGeneration().contains(id);
    }
}
