package dev.t2l.experiment;

import dev.t2l.TextToLora;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** L, M and S on few and many tasks (arXiv 2506.06105, section 4): does L do at least as well as M, and M better than S; does S run out of capacity? */
final class Variants implements Experiment {
    static final List<Variant> ALL = List.of(Variant.L, Variant.M, Variant.S);

    /** One trained network. */
    private record Row(Variant variant, int tasks, Trained run, String column) {
    }

    @Override
    public String name() {
        return "variants";
    }

    @Override
    public String title() {
        return "L, M and S, trained on 9, 32 and 95 tasks: sizes, time to generate an adapter, score on unseen tasks";
    }

    @Override
    public void run(Laboratory lab) {
        List<Row> rows = new ArrayList<>();
        List<Integer> sizes = TaskSets.sizes(lab.trainingTasks().size(), 9, 32);
        for (int size : sizes) {
            List<String> tasks = size == 9 ? lab.nineTasks() : lab.trainingTasks(size, 0);
            for (Variant variant : ALL) {
                String what = variant + " on " + size + " tasks";
                rows.add(new Row(variant, size, lab.train(what, Kind.SFT, tasks, Map.of("network.variant", variant.name())), variant + "-" + size));
            }
        }
        Map<Row, Double> milliseconds = new LinkedHashMap<>();
        rows.forEach(row -> milliseconds.put(row, lab.timed("generate", () -> milliseconds(lab, row))));
        List<Column> columns = rows.stream().map(row -> lab.columns().matching(row.column(), lab.source(row.run().folder()))).toList();
        Scored scored = Scored.of(lab, lab.unseen(), columns);
        var table = new Table("", List.of(new Heading("variant", "variant", Unit.PLAIN), new Heading("tasks", "training tasks", Unit.PLAIN),
                new Heading("parameters", "parameters", Unit.COUNT), new Heading("mib", "MiB", Unit.TENTHS), new Heading("milliseconds", "ms an adapter", Unit.HUNDREDTHS),
                new Heading("steps", "steps", Unit.COUNT), new Heading("seconds", "training s", Unit.TENTHS), new Heading("loss", "last training loss", Unit.NUMBER),
                new Heading("score", "score", Unit.PERCENT), new Heading("low", "from", Unit.PERCENT), new Heading("high", "to", Unit.PERCENT)));
        for (Row row : rows) {
            EvalTable.Summary score = scored.summary(row.column());
            table.add(row.variant().name(), row.tasks(), row.run().parameters(), row.run().mebibytes(), milliseconds.get(row), row.run().steps(), row.run().seconds(),
                    row.run().lastLoss(), score.mean(), score.low(), score.high());
        }
        lab.table(List.of(table, differences(scored, sizes)), scored.referencesAndIntervals(),
                "Steps are in proportion to the number of tasks, unless the command sets them; the tasks of the smaller sets are those of "
                        + "`t2l experiment scaling` (32) and `reconstruction` (9). MiB are those of the file, f32, which holds three tensors of an adapter's size beside the "
                        + "parameters, as the published format does. An adapter is timed from the sentence to its matrices, the median of " + Timing.RUNS + ".");
        lab.plot(List.of(chart("score on unseen tasks, %", rows, row -> 100 * scored.mean(row.column())), chart("last training loss", rows, row -> row.run().lastLoss())));
    }

    private static double milliseconds(Laboratory lab, Row row) {
        TextToLora network = lab.network(row.run().folder());
        String sentence = lab.unseen().getFirst().evalDescriptions().getFirst();
        return Timing.medianMilliseconds(() -> network.generate(sentence).close());
    }

    private static Table differences(Scored scored, List<Integer> sizes) {
        var table = new Table("Differences in points", List.of(new Heading("pair", "pair", Unit.PLAIN), new Heading("tasks", "training tasks", Unit.PLAIN),
                new Heading("difference", "points", Unit.PERCENT), new Heading("low", "from", Unit.PERCENT), new Heading("high", "to", Unit.PERCENT),
                new Heading("wins", "wins", Unit.PLAIN), new Heading("ties", "ties", Unit.PLAIN), new Heading("losses", "losses", Unit.PLAIN)));
        for (int size : sizes) {
            for (int i = 0; i + 1 < ALL.size(); i++) {
                EvalTable.Comparison pair = scored.compare(ALL.get(i) + "-" + size, ALL.get(i + 1) + "-" + size);
                table.add(ALL.get(i) + " less " + ALL.get(i + 1), size, pair.difference(), pair.low(), pair.high(), pair.wins(), pair.ties(), pair.losses());
            }
        }
        return table;
    }

    private static Chart chart(String what, List<Row> rows, ToDoubleFunction<Row> value) {
        return new Points(what, "training tasks", what, Style.LINES, ALL.stream().map(variant -> {
            List<Row> own = rows.stream().filter(row -> row.variant() == variant).toList();
            return new Series(variant.name(), own.stream().map(row -> (double) row.tasks()).toList(), own.stream().map(value::applyAsDouble).toList());
        }).toList());
    }
}
