package dev.t2l.eval;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What an evaluation found: each column's scores for each task, by each description. */
public final class EvalTable {
    static final double TIE = 1e-9;

    private final List<Column> columns;
    private final List<EvalTask> tasks;
    private final Map<String, Map<String, List<CellScore>>> scores = new LinkedHashMap<>(); // by column and task, descriptions in order

    EvalTable(List<Column> columns, List<EvalTask> tasks, List<CellScore> scores) {
        this.columns = columns;
        this.tasks = tasks;
        for (CellScore score : scores) {
            this.scores.computeIfAbsent(score.column(), _ -> new LinkedHashMap<>()).computeIfAbsent(score.task(), _ -> new ArrayList<>()).add(score);
        }
        this.scores.values().forEach(ofTasks -> ofTasks.values().forEach(cells -> cells.sort(Comparator.comparingInt(CellScore::description))));
    }

    /**
     * A column over all tasks; scores from 0 to 1.
     *
     * @param low          where the mean's 95 % interval begins, by bootstrap over tasks
     * @param spread       mean over tasks of the standard deviation between a task's descriptions; 0 without several
     * @param byDescription means over tasks by the first, second ... description
     */
    public record Summary(String column, String title, double mean, double low, double high, double spread, List<Double> byDescription) {
    }

    /**
     * A column less another, task by task.
     *
     * @param low where the 95 % interval of the mean difference begins, by paired bootstrap over tasks
     */
    public record Comparison(String column, String less, double difference, double low, double high, int wins, int ties, int losses) {
    }

    /** The same table with scores by likelihood ({@link CellScore#likelihood}), of the tasks that have options; empty if none has. */
    public Optional<EvalTable> byLikelihood() {
        List<EvalTask> choices = tasks.stream().filter(EvalTask::isChoice).toList();
        List<CellScore> likeliest = scores.values().stream().flatMap(ofTasks -> ofTasks.values().stream()).flatMap(List::stream)
                .filter(score -> score.likelihood().isPresent()).map(CellScore::byLikelihood).toList();
        return likeliest.isEmpty() ? Optional.empty() : Optional.of(new EvalTable(columns, choices, likeliest));
    }

    /** The tasks' names. */
    public List<String> tasks() {
        return tasks.stream().map(EvalTask::name).toList();
    }

    /** The columns' names. */
    public List<String> columns() {
        return columns.stream().map(Column::name).toList();
    }

    /** A column's score for a task, 0 to 1: the mean over its descriptions. */
    public double score(String column, String task) {
        return cells(column, task).stream().mapToDouble(CellScore::score).average().orElseThrow();
    }

    /** By each description. */
    public List<CellScore> cells(String column, String task) {
        List<CellScore> found = scores.getOrDefault(column, Map.of()).get(task);
        if (found == null) {
            throw new IllegalArgumentException("there is no score of column '" + column + "' for task '" + task + "'");
        }
        return List.copyOf(found);
    }

    /** How many examples of a task every column was judged on; some were perhaps on more. */
    public int examples(String task) {
        return columns().stream().mapToInt(column -> examples(column, task)).min().orElse(0);
    }

    /** Columns that were judged on more examples than others. */
    public List<String> wholeColumns() {
        return columns().stream().filter(column -> tasks().stream().anyMatch(task -> examples(column, task) > examples(task))).toList();
    }

    private int examples(String column, String task) {
        return cells(column, task).stream().mapToInt(CellScore::examples).min().orElse(0);
    }

    /** Standard deviation (n - 1) between descriptions; 0 if there is one. */
    public double spread(String column, String task) {
        List<CellScore> cells = cells(column, task);
        double mean = score(column, task);
        return cells.size() < 2 ? 0 : Math.sqrt(cells.stream().mapToDouble(cell -> (cell.score() - mean) * (cell.score() - mean)).sum() / (cells.size() - 1));
    }

    /** @param seed of the bootstrap */
    public List<Summary> summaries(long seed) {
        return columns.stream().map(column -> {
            double[] values = values(column.name());
            Bootstrap.Interval interval = Bootstrap.ofMean(values, seed);
            return new Summary(column.name(), column.title(), mean(values), interval.low(), interval.high(),
                    tasks().stream().mapToDouble(task -> spread(column.name(), task)).average().orElse(0), byDescription(column.name()));
        }).toList();
    }

    /** One column less each other. */
    public List<Comparison> comparisons(String column, long seed) {
        return columns().stream().filter(other -> !other.equals(column)).map(other -> compare(column, other, seed)).toList();
    }

    private Comparison compare(String column, String other, long seed) {
        double[] own = values(column);
        double[] others = values(other);
        double[] difference = new double[own.length];
        int wins = 0;
        int losses = 0;
        for (int i = 0; i < own.length; i++) {
            difference[i] = own[i] - others[i];
            wins += difference[i] > TIE ? 1 : 0;
            losses += difference[i] < -TIE ? 1 : 0;
        }
        Bootstrap.Interval interval = Bootstrap.ofMean(difference, seed);
        return new Comparison(column, other, mean(difference), interval.low(), interval.high(), wins, own.length - wins - losses, losses);
    }

    private List<Double> byDescription(String column) {
        int most = tasks().stream().mapToInt(task -> cells(column, task).size()).max().orElse(0);
        List<Double> means = new ArrayList<>();
        for (int i = 0; i < most; i++) {
            int number = i;
            means.add(tasks().stream().mapToDouble(task -> cells(column, task).get(Math.min(number, cells(column, task).size() - 1)).score()).average().orElse(0));
        }
        return means;
    }

    private double[] values(String column) {
        return tasks().stream().mapToDouble(task -> score(column, task)).toArray();
    }

    private static double mean(double[] values) {
        double sum = 0;
        for (double value : values) {
            sum += value;
        }
        return sum / values.length;
    }
}
