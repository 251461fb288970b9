package dev.t2l.text;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * A vocabulary as plain lists, whatever file it came from.
 *
 * @param tokens  text of token i
 * @param scores  score of token i (SentencePiece: the higher, the earlier it is merged); empty where the kind has none
 * @param types   type of token i
 * @param merges  byte-pair merges, best first, each {@code "left right"}; empty where the kind has none
 * @param special the tokens with a role
 */
record Vocabulary(List<String> tokens, float[] scores, List<TokenType> types, List<String> merges, SpecialIds special) {
    Vocabulary {
        if (types.size() != tokens.size()) {
            throw new IllegalArgumentException("vocabulary: " + tokens.size() + " tokens but " + types.size() + " token types");
        }
        if (scores.length != 0 && scores.length != tokens.size()) {
            throw new IllegalArgumentException("vocabulary: " + tokens.size() + " tokens but " + scores.length + " scores");
        }
    }

    int size() {
        return tokens.size();
    }

    boolean isControl(int id) {
        TokenType type = types.get(id);
        return type == TokenType.CONTROL || type == TokenType.UNKNOWN;
    }

    /** The control and user-defined tokens, which are looked for in a text before anything else. */
    AddedTokens added() {
        List<AddedToken> added = new ArrayList<>();
        for (int id = 0; id < tokens.size(); id++) {
            TokenType type = types.get(id);
            if (type == TokenType.CONTROL || type == TokenType.USER_DEFINED) {
                added.add(AddedToken.plain(id, tokens.get(id), type == TokenType.CONTROL));
            }
        }
        return new AddedTokens(added);
    }

    /** Texts to ids; of two tokens with one text the later wins, as in the peers. */
    Map<String, Integer> index() {
        Map<String, Integer> index = HashMap.newHashMap(tokens.size());
        for (int id = 0; id < tokens.size(); id++) {
            index.put(tokens.get(id), id);
        }
        return index;
    }

    /** Every added token that is known to close a turn. */
    static TreeSet<Integer> turnEnds(List<AddedToken> added) {
        TreeSet<Integer> ends = new TreeSet<>();
        for (AddedToken token : added) {
            if (SpecialIds.TURN_ENDS.contains(token.content())) {
                ends.add(token.id());
            }
        }
        return ends;
    }
}
