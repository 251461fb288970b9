package dev.t2l.experiment;

import dev.t2l.eval.Column;
import dev.t2l.eval.Columns;
import dev.t2l.eval.EvalTask;
import dev.t2l.experiment.Table.Heading;
import dev.t2l.experiment.Table.Unit;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.train.TrainingConfig.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/** Nine oracles in one hypernetwork (arXiv 2506.06105, section 4.1): do generated adapters do what the oracles do? */
final class Reconstruction implements Experiment {
    /** A way to generate adapters of the nine tasks. */
    private record Row(Reproduced network, String column, String reads, double error) {
    }

    @Override
    public String name() {
        return "reconstruction";
    }

    @Override
    public String title() {
        return "Nine oracle LoRAs, reproduced by L, M and S from descriptions and from tasks' numbers: share of the oracles' score";
    }

    @Override
    public Set<Kind> trains() {
        return Set.of(Kind.LORA, Kind.RECON);
    }

    @Override
    public void run(Laboratory lab) {
        List<String> nine = lab.nineTasks();
        OracleFolder oracles = lab.oracles(nine);
        List<EvalTask> judged = lab.tasks(nine);
        Map<String, String> training = first(lab.data().trainingDescriptions(nine));
        Map<String, String> unseen = judged.stream().collect(Collectors.toMap(EvalTask::name, task -> task.evalDescriptions().getFirst()));
        Columns make = lab.columns();
        AverageOracle average = lab.average(oracles);
        List<Column> columns = new ArrayList<>(List.of(make.oracle(lab.oracleSource(oracles)), average.column(make)));
        List<Row> rows = new ArrayList<>();
        for (Variant variant : Variants.ALL) {
            Reproduced described = Reproduced.of(lab, variant, false, oracles);
            Reproduced numbered = Reproduced.of(lab, variant, true, oracles);
            rows.add(row(lab, described, "-text", "other descriptions", unseen::get));
            rows.add(row(lab, described, "-trained-text", "descriptions of training", training::get));
            rows.add(row(lab, numbered, "-number", "numbers", task -> task));
            columns.add(make.matching(variant + "-text", lab.source(described.run().folder())));
            columns.add(lab.byText(variant + "-trained-text", lab.source(described.run().folder()), training::get));
            columns.add(lab.byTask(variant + "-number", lab.numbered(numbered.run().folder())));
        }
        Scored scored = Scored.of(lab, judged, columns);
        Table table = table(scored, rows);
        table.add(AverageOracle.TITLE, null, null, null, lab.timed("errors", average::error), scored.mean(AverageOracle.COLUMN), share(scored, AverageOracle.COLUMN));
        table.add(AverageOracle.TITLE + "' ΔW", null, null, null, lab.timed("errors", () -> average.errorOfMeanProduct(lab.backend())), null, null);
        table.add("base model", null, null, null, 1.0, scored.base(), share(scored, Scored.BASE));
        lab.table(List.of(table, byTask(scored, nine, rows)), scored.references(),
                "Tasks: " + String.join(", ", nine) + "; judged on their test lines. The loss is the " + Reproduced.lossInWords(lab.recipe(Kind.RECON))
                        + ", the mean of the last twentieth of the steps, with dropout. The error is that of s B A, relative to the oracle's, a mean over tasks.",
                "Other descriptions are evaluation descriptions, which no training saw; of those of training, the first. A score from numbers is no zero-shot score.",
                AverageOracle.NOTE);
        lab.plot(List.of(shares(scored, rows)));
    }

    /** The same references beside each variant. */
    private static Chart shares(Scored scored, List<Row> rows) {
        List<Chart.Group> groups = new ArrayList<>();
        for (String reads : List.of("other descriptions", "descriptions of training", "numbers")) {
            groups.add(new Chart.Group(reads, rows.stream().filter(row -> row.reads().equals(reads)).map(row -> 100 * share(scored, row.column())).toList()));
        }
        groups.add(new Chart.Group(AverageOracle.TITLE, Variants.ALL.stream().map(_ -> 100 * share(scored, AverageOracle.COLUMN)).toList()));
        groups.add(new Chart.Group("base model", Variants.ALL.stream().map(_ -> 100 * share(scored, Scored.BASE)).toList()));
        return new Chart.Bars("share of the oracles' score", "%", Variants.ALL.stream().map(Variant::name).toList(), groups);
    }

    private static Row row(Laboratory lab, Reproduced network, String end, String reads, UnaryOperator<String> description) {
        return new Row(network, network.variant() + end, reads, lab.timed("errors", () -> network.productError(lab, description)));
    }

    private static Map<String, String> first(Map<String, List<String>> descriptions) {
        return descriptions.entrySet().stream().collect(Collectors.toMap(Map.Entry::getKey, entry -> entry.getValue().getFirst()));
    }

    private static double share(Scored scored, String column) {
        return scored.mean(column) / scored.mean(Columns.ORACLE);
    }

    private static Table table(Scored scored, List<Row> rows) {
        var table = new Table("", List.of(new Heading("adapters", "adapters", Unit.PLAIN), new Heading("reads", "from", Unit.PLAIN), new Heading("steps", "steps", Unit.COUNT),
                new Heading("loss", "loss", Unit.NUMBER), new Heading("error", "relative error", Unit.NUMBER), new Heading("score", "score", Unit.PERCENT),
                new Heading("share", "% of the oracles'", Unit.PERCENT)));
        table.add("oracles", null, null, null, 0.0, scored.mean(Columns.ORACLE), 1.0);
        rows.forEach(row -> table.add(row.network().variant().name(), row.reads(), row.network().run().steps(), row.network().run().lastLoss(), row.error(),
                scored.mean(row.column()), share(scored, row.column())));
        return table;
    }

    private static Table byTask(Scored scored, List<String> nine, List<Row> rows) {
        List<Heading> headings = new ArrayList<>(List.of(new Heading("task", "task", Unit.PLAIN), new Heading(Scored.CONSTANT, "constant", Unit.PERCENT),
                new Heading(Scored.BASE, "base", Unit.PERCENT), new Heading(Columns.ORACLE, "oracle", Unit.PERCENT),
                new Heading(AverageOracle.COLUMN, AverageOracle.TITLE, Unit.PERCENT)));
        rows.forEach(row -> headings.add(new Heading(row.column(), row.network().variant() + ", " + row.reads(), Unit.PERCENT)));
        var table = new Table("By task", headings);
        for (String task : nine) {
            List<Object> values = new ArrayList<>(List.of(task));
            headings.stream().skip(1).forEach(heading -> values.add(scored.table().score(heading.key(), task)));
            table.add(values.toArray());
        }
        return table;
    }
}
