package dev.t2l.eval;

import java.util.List;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/** A way of doing tasks: one column of the table. {@link Columns} makes them. */
public sealed interface Column {
    /** In files and options. */
    String name();

    /** In tables. */
    String title();

    /**
     * A score that takes no model.
     *
     * @param whole whether it is over all test examples of a task, also where models are asked the first ones alone
     */
    record Computed(String name, String title, ToDoubleFunction<EvalTask> score, boolean whole) implements Column {
    }

    /**
     * A model is asked.
     *
     * @param askings of a task; its score is their mean
     */
    record Asked(String name, String title, Function<EvalTask, List<Asking>> askings) implements Column {
    }
}
