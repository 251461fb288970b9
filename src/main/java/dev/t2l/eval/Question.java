package dev.t2l.eval;

import java.util.List;

/**
 * An example, ready for the model.
 *
 * @param cell    that it belongs to
 * @param number  of the example in its task, from 0
 * @param ids     of the prompt, at least one
 * @param limit   new tokens at most
 * @param options token ids of the permitted answers whose likelihood is asked for; none if the task is no choice
 * @param adapter who gives the adapter, and for which text
 * @param digest  of everything that the answer depends on
 */
record Question(Cell cell, int number, int[] ids, int limit, List<int[]> options, AdapterOf adapter, String digest) {

    /** Equal ones are the same adapter. */
    record AdapterOf(AdapterSource source, String text) {
    }

    /** Cache positions that it may need. */
    int positions() {
        return ids.length + Math.max(limit, options.stream().mapToInt(option -> option.length).max().orElse(0));
    }

    EvalExample example() {
        return cell.task().tests().get(number);
    }
}
