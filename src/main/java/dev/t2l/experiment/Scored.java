package dev.t2l.experiment;

import dev.t2l.eval.Column;
import dev.t2l.eval.Columns;
import dev.t2l.eval.EvalTable;
import dev.t2l.eval.EvalTask;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The scores of columns over tasks.
 *
 * @param table     of the columns asked for, and the two references
 * @param summaries of its columns
 * @param seed      of the bootstrap
 */
record Scored(EvalTable table, List<EvalTable.Summary> summaries, long seed) {
    static final String CONSTANT = "constant";
    static final String BASE = "base";

    /** Asks these columns, and beside them the base alone and the most frequent answer. */
    static Scored of(Laboratory lab, List<EvalTask> tasks, List<Column> columns) {
        Columns make = lab.columns();
        List<Column> all = new ArrayList<>(List.of(make.constant(), make.base()));
        all.addAll(columns);
        EvalTable table = lab.evaluate(tasks, all);
        return new Scored(table, table.summaries(lab.settings().seed()), lab.settings().seed());
    }

    EvalTable.Summary summary(String column) {
        return summaries.stream().filter(one -> one.column().equals(column)).findFirst().orElseThrow();
    }

    double mean(String column) {
        return table.tasks().stream().mapToDouble(task -> table.score(column, task)).average().orElseThrow();
    }

    EvalTable.Comparison compare(String column, String less) {
        return table.comparisons(column, seed).stream().filter(one -> one.less().equals(less)).findFirst().orElseThrow();
    }

    /** The same where intervals are shown, too. */
    String referencesAndIntervals() {
        return references() + " Intervals, from and to, are 95 %, by bootstrap over tasks.";
    }

    /** What a score is to be held against, and which examples it is over, in words. */
    String references() {
        return String.format(Locale.ROOT, "Scores are means over %d tasks, in %%. For comparison: the most frequent answer scores %.1f, the base alone %.1f. %s",
                table.tasks().size(), 100 * mean(CONSTANT), 100 * mean(BASE), examples());
    }

    /** Over which examples of a task a score is. */
    String examples() {
        int most = table.tasks().stream().mapToInt(table::examples).max().orElse(0);
        return table.wholeColumns().contains(CONSTANT)
                ? "That of the most frequent answer is over all test lines of a task (majority_test of tasks.json), all others over its first " + most + " at most."
                : "All are over all test lines of a task, that of the most frequent answer (majority_test of tasks.json), too.";
    }

    double constant() {
        return mean(CONSTANT);
    }

    double base() {
        return mean(BASE);
    }
}
