package dev.t2l.experiment;

import dev.t2l.eval.Column;
import dev.t2l.eval.Columns;
import dev.t2l.eval.EvalTable;
import dev.t2l.eval.EvalTask;
import dev.t2l.experiment.Table.Heading;
import dev.t2l.experiment.Table.Unit;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.train.TrainingConfig.Kind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/** The whole library of oracles in one hypernetwork (arXiv 2506.06105, section 4.1): how much smaller is it, and what is kept? */
final class Compression implements Experiment {
    @Override
    public String name() {
        return "compression";
    }

    @Override
    public String title() {
        return "All training tasks' oracles in one L, M or S: MiB against those of the library, error, share of the oracles' score kept";
    }

    @Override
    public Set<Kind> trains() {
        return Set.of(Kind.LORA, Kind.RECON);
    }

    @Override
    public void run(Laboratory lab) {
        OracleFolder oracles = lab.oracles(lab.trainingTasks());
        double library = oracles.runs().keySet().stream().mapToDouble(oracles::mebibytes).sum();
        List<EvalTask> tasks = lab.tasks(lab.trainingTasks());
        Map<String, String> descriptions = new LinkedHashMap<>();
        tasks.forEach(task -> descriptions.put(task.name(), task.evalDescriptions().getFirst()));
        var make = new Columns(lab.settings().seed(), 1);
        AverageOracle average = lab.average(oracles);
        List<Column> columns = new ArrayList<>(List.of(make.oracle(lab.oracleSource(oracles)), average.column(make)));
        List<Reproduced> networks = new ArrayList<>();
        Map<Variant, Double> errors = new LinkedHashMap<>();
        for (Variant variant : Variants.ALL) {
            Reproduced network = Reproduced.of(lab, variant, false, oracles);
            networks.add(network);
            errors.put(variant, lab.timed("errors", () -> network.productError(lab, descriptions::get)));
            columns.add(make.matching(variant.name(), lab.source(network.run().folder())));
        }
        Scored scored = Scored.of(lab, tasks, columns);
        var table = new Table("", List.of(new Heading("adapters", "adapters", Unit.PLAIN), new Heading("mib", "MiB", Unit.TENTHS),
                new Heading("ratio", "library : it", Unit.HUNDREDTHS),
                new Heading("steps", "steps", Unit.COUNT), new Heading("loss", "loss", Unit.NUMBER), new Heading("error", "relative error", Unit.NUMBER),
                new Heading("score", "score", Unit.PERCENT), new Heading("low", "from", Unit.PERCENT), new Heading("high", "to", Unit.PERCENT),
                new Heading("share", "% of the oracles'", Unit.PERCENT),
                new Heading("above_base", "% of their gain over the base", Unit.PERCENT)));
        double best = scored.mean(Columns.ORACLE);
        double mean = scored.mean(AverageOracle.COLUMN);
        table.add(row(scored, Columns.ORACLE, oracles.runs().size() + " oracles", library, 1.0, null, null, 0.0));
        for (Reproduced network : networks) {
            String name = network.variant().name();
            table.add(row(scored, name, name, network.run().mebibytes(), library / network.run().mebibytes(), network.run().steps(), network.run().lastLoss(),
                    errors.get(network.variant())));
        }
        table.add(row(scored, AverageOracle.COLUMN, AverageOracle.TITLE, average.mebibytes(), library / average.mebibytes(), null, null, lab.timed("errors", average::error)));
        table.add(AverageOracle.TITLE + "' ΔW", null, null, null, null, lab.timed("errors", () -> average.errorOfMeanProduct(lab.backend())), null, null, null, null, null);
        table.add(row(scored, Scored.BASE, "base model", null, null, null, null, 1.0));
        lab.table(List.of(table), scored.referencesAndIntervals(), "Judged on the training tasks' test lines; adapters from the first evaluation description of each, which no "
                + "training saw. MiB are those of the files, all f32, of the hypernetwork with the oracles' means and deviations and offsets of zero, which the published "
                + "format has; the text encoder that reads the descriptions is not counted. The loss is the " + Reproduced.lossInWords(lab.recipe(Kind.RECON))
                + ", the mean of the last twentieth of the steps, with dropout. The error is that of s B A, relative to the oracle's, a mean over tasks.",
                AverageOracle.NOTE);
        List<String> names = Variants.ALL.stream().map(Variant::name).toList();
        List<Double> sizes = networks.stream().map(network -> network.run().mebibytes()).toList();
        List<Double> scores = names.stream().map(name -> 100 * scored.mean(name)).toList();
        lab.plot(List.of(new Chart.Bars("MiB of " + oracles.runs().size() + " oracles, of hypernetworks and of the oracles' average", "MiB", around("oracles", names, "average"),
                        List.of(new Chart.Group("MiB", around(library, sizes, average.mebibytes())))),
                new Chart.Bars("score on the training tasks", "%", around("oracles", names, "average", "base"),
                        List.of(new Chart.Group("score", around(100 * best, scores, 100 * mean, 100 * scored.base()))))));
    }

    /** What is known of adapters before they are judged, then the scores of their column. */
    private static Object[] row(Scored scored, String column, Object... known) {
        EvalTable.Summary score = scored.summary(column);
        double best = scored.mean(Columns.ORACLE);
        double base = scored.base();
        return Stream.concat(Arrays.stream(known), Stream.of(score.mean(), score.low(), score.high(), score.mean() / best, (score.mean() - base) / (best - base))).toArray();
    }

    @SafeVarargs
    private static <T> List<T> around(T first, List<T> between, T... last) {
        List<T> all = new ArrayList<>(List.of(first));
        all.addAll(between);
        all.addAll(List.of(last));
        return all;
    }
}
