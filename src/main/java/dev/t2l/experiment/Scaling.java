package dev.t2l.experiment;

import dev.t2l.eval.Column;
import dev.t2l.eval.EvalTable;
import dev.t2l.experiment.Chart.Points;
import dev.t2l.experiment.Chart.Series;
import dev.t2l.experiment.Chart.Style;
import dev.t2l.experiment.Table.Heading;
import dev.t2l.experiment.Table.Unit;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.train.TrainingConfig.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** More training tasks, and compute in proportion (arXiv 2506.06105, section 5.1): does the score on unseen tasks grow? */
final class Scaling implements Experiment {
    private static final int SETS = 3;

    /** A trained network. */
    private record Row(int tasks, int set, long seed, Trained run, String column) {
    }

    @Override
    public String name() {
        return "scaling";
    }

    @Override
    public String title() {
        return "16, 32, 64 and 95 training tasks, three sets each, compute in proportion: score on unseen tasks";
    }

    @Override
    public void run(Laboratory lab) {
        int all = lab.trainingTasks().size();
        List<Integer> sizes = TaskSets.sizes(all, 16, 32, 64);
        List<Row> rows = new ArrayList<>();
        for (int size : sizes) {
            for (int set = 0; set < SETS; set++) {
                rows.add(train(lab, size, set, size == all));
            }
        }
        List<Column> columns = rows.stream().map(row -> lab.columns().matching(row.column(), lab.source(row.run().folder()))).toList();
        Scored scored = Scored.of(lab, lab.unseen(), columns);
        lab.table(List.of(bySize(scored, sizes, rows), bySet(scored, rows)), scored.referencesAndIntervals(),
                "Of each size three sets of tasks, drawn by the seed, smaller ones part of larger ones; all tasks are one set, trained with three seeds. "
                        + "Variant L; steps in proportion to the number of tasks, unless the command sets them.");
        lab.plot(List.of(chart(scored, sizes, rows)));
    }

    /** A set, or, where there is but one, a seed. */
    private static Row train(Laboratory lab, int size, int set, boolean whole) {
        long seed = lab.recipe(Kind.SFT).seed() + (whole ? set : 0);
        String what = "L on " + size + " tasks, " + (whole ? "seed " + seed : "set " + (set + 1));
        Trained run = lab.train(what, Kind.SFT, lab.trainingTasks(size, whole ? 0 : set), Map.of("network.variant", Variant.L.name(), "seed", seed));
        return new Row(size, set + 1, seed, run, "L-" + size + (whole ? "-seed-" + seed : "-set-" + (set + 1)));
    }

    private static Table bySize(Scored scored, List<Integer> sizes, List<Row> rows) {
        var table = new Table("By number of tasks", List.of(new Heading("tasks", "training tasks", Unit.PLAIN), new Heading("steps", "steps", Unit.COUNT),
                new Heading("score", "mean score", Unit.PERCENT), new Heading("deviation", "standard deviation between sets", Unit.PERCENT)));
        for (int size : sizes) {
            double[] scores = scores(scored, rows, size);
            table.add(size, rows.stream().filter(row -> row.tasks() == size).findFirst().orElseThrow().run().steps(), mean(scores), deviation(scores));
        }
        return table;
    }

    private static Table bySet(Scored scored, List<Row> rows) {
        var table = new Table("By set", List.of(new Heading("tasks", "training tasks", Unit.PLAIN), new Heading("set", "set", Unit.PLAIN), new Heading("seed", "seed", Unit.PLAIN),
                new Heading("steps", "steps", Unit.COUNT), new Heading("seconds", "training s", Unit.TENTHS), new Heading("loss", "last training loss", Unit.NUMBER),
                new Heading("score", "score", Unit.PERCENT), new Heading("low", "from", Unit.PERCENT), new Heading("high", "to", Unit.PERCENT)));
        for (Row row : rows) {
            EvalTable.Summary score = scored.summary(row.column());
            table.add(row.tasks(), row.set(), row.seed(), row.run().steps(), row.run().seconds(), row.run().lastLoss(), score.mean(), score.low(), score.high());
        }
        return table;
    }

    private static Chart chart(Scored scored, List<Integer> sizes, List<Row> rows) {
        var mean = new Series("mean ± standard deviation", sizes.stream().map(Integer::doubleValue).toList(),
                sizes.stream().map(size -> 100 * mean(scores(scored, rows, size))).toList(),
                sizes.stream().map(size -> 100 * deviation(scores(scored, rows, size))).toList());
        return new Points("score on unseen tasks", "training tasks", "%", Style.LINES, List.of(mean));
    }

    private static double[] scores(Scored scored, List<Row> rows, int size) {
        return rows.stream().filter(row -> row.tasks() == size).mapToDouble(row -> scored.mean(row.column())).toArray();
    }

    private static double mean(double[] values) {
        double sum = 0;
        for (double value : values) {
            sum += value;
        }
        return sum / values.length;
    }

    /** With n - 1. */
    private static double deviation(double[] values) {
        double mean = mean(values);
        double sum = 0;
        for (double value : values) {
            sum += (value - mean) * (value - mean);
        }
        return Math.sqrt(sum / (values.length - 1));
    }
}
