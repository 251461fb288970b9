package dev.t2l.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * What is left of a WordPiece vocabulary without some groups of tokens; control tokens stay. Ids close ranks. A text is spelt as before
 * unless a dropped token would have been in it: longest pieces are looked for from the left, and those that were not found are not now.
 */
final class VocabularySubset {
    private static final int DROPPED = -1;

    private final Vocabulary whole;
    private final int[] kept;
    private final int[] newIds;

    VocabularySubset(Vocabulary whole, Set<TokenGroup> dropped) {
        this.whole = whole;
        this.kept = IntStream.range(0, whole.size()).filter(id -> whole.isControl(id) || dropped.stream().noneMatch(group -> group.has(whole.tokens().get(id)))).toArray();
        this.newIds = new int[whole.size()];
        Arrays.fill(newIds, DROPPED);
        for (int id = 0; id < kept.length; id++) {
            newIds[kept[id]] = id;
        }
    }

    /** The old id of each token that is left. */
    int[] kept() {
        return kept.clone();
    }

    Vocabulary vocabulary() {
        List<String> tokens = new ArrayList<>();
        List<TokenType> types = new ArrayList<>();
        for (int id : kept) {
            tokens.add(whole.tokens().get(id));
            types.add(whole.types().get(id));
        }
        SpecialIds old = whole.special();
        return new Vocabulary(tokens, new float[0], types, List.of(),
                new SpecialIds(renumbered(old.bos()), renumbered(old.eos()), renumbered(old.unknown()), renumbered(old.padding()), old.addBos(), old.addEos(), Set.of()));
    }

    private OptionalInt renumbered(OptionalInt id) {
        return id.isPresent() ? OptionalInt.of(newIds[id.getAsInt()]) : id;
    }

    /** Whether none of these tokens was dropped. */
    boolean has(int[] ids) {
        return Arrays.stream(ids).allMatch(id -> newIds[id] != DROPPED);
    }

    /** Old ids, none of which was dropped, as new ones. */
    int[] renumbered(int[] ids) {
        return Arrays.stream(ids).map(id -> newIds[id]).toArray();
    }
}
