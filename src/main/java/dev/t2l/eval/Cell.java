package dev.t2l.eval;

import java.util.List;
import java.util.stream.IntStream;

/**
 * A column's way with one task, by one description: what a line of results is about. Equal to itself alone, for its task has many examples to compare.
 *
 * @param number of the description among the column's for this task, from 1; 0 if it reads none
 */
record Cell(Column.Asked column, EvalTask task, int number, Asking asking) {
    static List<Cell> of(Column.Asked column, EvalTask task) {
        List<Asking> askings = column.askings().apply(task);
        return IntStream.range(0, askings.size()).mapToObj(i -> new Cell(column, task, askings.get(i).description().isEmpty() ? 0 : i + 1, askings.get(i))).toList();
    }

    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }
}
