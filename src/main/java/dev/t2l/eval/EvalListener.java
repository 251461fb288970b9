package dev.t2l.eval;

/** Who watches an evaluation. */
public interface EvalListener {
    /**
     * Some more questions are answered.
     *
     * @param column that they belong to
     * @param done   of all columns' questions, those answered by an earlier run not counted
     */
    default void answered(String column, long done, long total) {
    }

    /** A column's score for a task by one description is known. */
    default void scored(CellScore score) {
    }
}
