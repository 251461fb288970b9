package dev.t2l.text;

import java.util.OptionalInt;
import java.util.Set;

/**
 * The tokens with a role. {@code addBos} and {@code addEos} say whether {@code addSpecialTokens} puts them around a text; for
 * BERT vocabularies {@code bos} is [CLS] and {@code eos} is [SEP].
 *
 * @param endOfGeneration ids after which a generation ends
 */
record SpecialIds(OptionalInt bos, OptionalInt eos, OptionalInt unknown, OptionalInt padding, boolean addBos, boolean addEos, Set<Integer> endOfGeneration) {
    /** Texts of control tokens that close a turn or a document in models that name only one of them as end of sequence. */
    static final Set<String> TURN_ENDS = Set.of("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>", "<end_of_turn>", "<|end|>", "<|return|>", "<end_of_utterance>", "<EOT>");

    SpecialIds {
        endOfGeneration = Set.copyOf(endOfGeneration);
    }

    int[] prefix() {
        return addBos && bos.isPresent() ? new int[] {bos.getAsInt()} : new int[0];
    }

    int[] suffix() {
        return addEos && eos.isPresent() ? new int[] {eos.getAsInt()} : new int[0];
    }
}
