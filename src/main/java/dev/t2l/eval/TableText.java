package dev.t2l.eval;

import dev.t2l.data.MarkdownTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** An {@link EvalTable} in Markdown, which reads well as plain text, too; scores in per cent. */
public final class TableText {
    private static final String CHOICES = "Tasks with options, whose likeliest one is taken: the largest mean log-probability of its tokens, without an end behind them.";

    /**
     * How a table is shown.
     *
     * @param compared the column that others are held against; none: no differences
     * @param marks    for cells above a column's: what marks them, and its name
     * @param seed     of the bootstrap
     */
    public record Style(Optional<String> compared, Map<String, String> marks, long seed) {
    }

    private TableText() {
    }

    /**
     * Tasks by columns, then each column's mean with its interval, then the differences; the same by likelihood, if there are options.
     *
     */
    public static String markdown(EvalTable table, Style style) {
        return one(table, style) + table.byLikelihood().map(choices -> "\n" + CHOICES + "\n\n" + one(choices, style)).orElse("");
    }

    private static String one(EvalTable table, Style style) {
        List<List<String>> scores = new ArrayList<>();
        List<EvalTable.Summary> summaries = table.summaries(style.seed());
        scores.add(row("task", summaries.stream().map(EvalTable.Summary::title).toList()));
        for (String task : table.tasks()) {
            scores.add(row(task, table.columns().stream().map(column -> cell(table, column, task, style.marks())).toList()));
        }
        scores.add(row("**mean of " + table.tasks().size() + "**", summaries.stream().map(summary -> "**" + percent(summary.mean()) + "**").toList()));
        scores.add(row("95 % interval", summaries.stream().map(summary -> percent(summary.low()) + " to " + percent(summary.high())).toList()));
        if (summaries.stream().anyMatch(TableText::several)) {
            scores.add(row("by description", summaries.stream()
                    .map(summary -> several(summary) ? summary.byDescription().stream().map(TableText::percent).collect(Collectors.joining(", ")) : "").toList()));
        }
        summaries.stream().filter(summary -> summary.column().equals(Columns.ORACLE) && summary.mean() > 0).findFirst().ifPresent(oracle ->
                scores.add(row("share of oracle", summaries.stream().map(summary -> percent(summary.mean() / oracle.mean()) + " %").toList())));
        String legend = style.marks().entrySet().stream().map(mark -> mark.getKey() + " above " + mark.getValue()).collect(Collectors.joining(", "));
        String text = MarkdownTable.text(scores) + (legend.isEmpty() ? "" : "\n" + legend + "\n") + judged(table);
        return style.compared().map(column -> text + "\n" + differences(table, column, style.seed())).orElse(text);
    }

    private static boolean several(EvalTable.Summary summary) {
        return summary.byDescription().size() > 1;
    }

    /** Which columns were judged on which examples, if that differs. */
    private static String judged(EvalTable table) {
        List<String> whole = table.wholeColumns();
        int most = table.tasks().stream().mapToInt(table::examples).max().orElse(0);
        return whole.isEmpty() ? "" : "\n" + String.join(", ", whole) + ": over all test examples of a task"
                + (whole.contains(Columns.CONSTANT) ? " (majority_test of tasks.json)" : "")
                + "; the other columns: over its first " + most + " at most\n";
    }

    private static String differences(EvalTable table, String column, long seed) {
        List<List<String>> lines = new ArrayList<>();
        lines.add(List.of(column + " less", "points", "95 % interval", "wins", "ties", "losses"));
        for (EvalTable.Comparison c : table.comparisons(column, seed)) {
            lines.add(List.of(c.less(), signed(c.difference()), signed(c.low()) + " to " + signed(c.high()), "" + c.wins(), "" + c.ties(), "" + c.losses()));
        }
        return lines.size() == 1 ? "" : MarkdownTable.text(lines);
    }

    private static String cell(EvalTable table, String column, String task, Map<String, String> marks) {
        double score = table.score(column, task);
        String above = marks.entrySet().stream().filter(mark -> score > table.score(mark.getValue(), task) + EvalTable.TIE).map(Map.Entry::getKey).collect(Collectors.joining());
        return percent(score) + (table.cells(column, task).size() < 2 ? "" : " ± " + percent(table.spread(column, task))) + (above.isEmpty() ? "" : " " + above);
    }

    private static List<String> row(String first, List<String> rest) {
        List<String> row = new ArrayList<>(List.of(first));
        row.addAll(rest);
        return row;
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, "%.1f", 100 * share);
    }

    private static String signed(double share) {
        return String.format(Locale.ROOT, "%+.1f", 100 * share);
    }
}
