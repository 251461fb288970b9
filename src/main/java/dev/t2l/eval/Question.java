package dev.t2l.eval;

/**
 * An example, ready for the model.
 *
 * @param cell    that it belongs to
 * @param number  of the example in its task, from 0
 * @param ids     of the prompt, at least one
 * @param limit   new tokens at most
 * @param adapter who gives the adapter, and for which text
 * @param digest  of everything that the answer depends on
 */
record Question(Cell cell, int number, int[] ids, int limit, AdapterOf adapter, String digest) {

    /** Equal ones are the same adapter. */
    record AdapterOf(AdapterSource source, String text) {
    }

    /** Cache positions that it may need. */
    int positions() {
        return ids.length + limit;
    }

    EvalExample example() {
        return cell.task().tests().get(number);
    }
}
