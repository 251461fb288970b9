package dev.t2l.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** An {@link EvalTable} in Markdown, which reads well as plain text, too; scores in per cent. */
public final class TableText {
    private static final String CHOICES = "Tasks with options, whose likeliest one is taken: the largest mean log-probability of its tokens, without an end behind them.";

    private TableText() {
    }

    /**
     * Tasks by columns, then each column's mean with its interval, then the differences; the same by likelihood, if there are options.
     *
     * @param compared the column that others are held against; none: no differences
     */
    public static String markdown(EvalTable table, Optional<String> compared, long seed) {
        return one(table, compared, seed) + table.byLikelihood().map(choices -> "\n" + CHOICES + "\n\n" + one(choices, compared, seed)).orElse("");
    }

    private static String one(EvalTable table, Optional<String> compared, long seed) {
        List<List<String>> scores = new ArrayList<>();
        List<EvalTable.Summary> summaries = table.summaries(seed);
        scores.add(row("task", summaries.stream().map(EvalTable.Summary::title).toList()));
        for (String task : table.tasks()) {
            scores.add(row(task, table.columns().stream().map(column -> cell(table, column, task)).toList()));
        }
        scores.add(row("**mean of " + table.tasks().size() + "**", summaries.stream().map(summary -> "**" + percent(summary.mean()) + "**").toList()));
        scores.add(row("95 % interval", summaries.stream().map(summary -> percent(summary.low()) + " to " + percent(summary.high())).toList()));
        scores.add(row("by description", summaries.stream()
                .map(summary -> summary.byDescription().size() < 2 ? "" : summary.byDescription().stream().map(TableText::percent).collect(Collectors.joining(", "))).toList()));
        String text = lines(scores);
        return compared.map(column -> text + "\n" + differences(table, column, seed)).orElse(text);
    }

    private static String differences(EvalTable table, String column, long seed) {
        List<List<String>> lines = new ArrayList<>();
        lines.add(List.of(column + " less", "points", "95 % interval", "wins", "ties", "losses"));
        for (EvalTable.Comparison c : table.comparisons(column, seed)) {
            lines.add(List.of(c.less(), signed(c.difference()), signed(c.low()) + " to " + signed(c.high()), "" + c.wins(), "" + c.ties(), "" + c.losses()));
        }
        return lines.size() == 1 ? "" : lines(lines);
    }

    private static String cell(EvalTable table, String column, String task) {
        String score = percent(table.score(column, task));
        return table.cells(column, task).size() < 2 ? score : score + " ± " + percent(table.spread(column, task));
    }

    private static List<String> row(String first, List<String> rest) {
        List<String> row = new ArrayList<>(List.of(first));
        row.addAll(rest);
        return row;
    }

    private static String lines(List<List<String>> rows) {
        int[] widths = IntStream.range(0, rows.getFirst().size()).map(c -> rows.stream().mapToInt(row -> row.get(c).length()).max().orElse(0)).toArray();
        var text = new StringBuilder();
        for (int r = 0; r < rows.size(); r++) {
            text.append(line(rows.get(r), widths, ' '));
            if (r == 0) {
                text.append(line(rows.getFirst().stream().map(_ -> "").toList(), widths, '-'));
            }
        }
        return text.toString();
    }

    private static String line(List<String> cells, int[] widths, char filler) {
        var text = new StringBuilder("|");
        for (int c = 0; c < widths.length; c++) {
            String fill = String.valueOf(filler).repeat(widths[c] - cells.get(c).length());
            text.append(filler).append(c == 0 ? cells.get(c) + fill : fill + cells.get(c)).append(filler == '-' && c > 0 ? ":" : filler).append('|');
        }
        return text.append('\n').toString();
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, "%.1f", 100 * share);
    }

    private static String signed(double share) {
        return String.format(Locale.ROOT, "%+.1f", 100 * share);
    }
}
