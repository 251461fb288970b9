package dev.t2l.experiment;

import dev.t2l.eval.Columns;
import dev.t2l.eval.EvalTable;
import dev.t2l.experiment.Table.Heading;
import dev.t2l.experiment.Table.Unit;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.train.TrainingConfig;
import dev.t2l.train.TrainingConfig.Kind;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The two ways to train (arXiv 2506.06105, section 5.4): through the base, or towards oracles; which one is better on unseen tasks? */
final class SftAgainstReconstruction implements Experiment {
    private static final String SFT = "sft";
    private static final String RECON = "recon";

    @Override
    public String name() {
        return "sft-recon";
    }

    @Override
    public String title() {
        return "Fine-tuning through the base against reconstruction of oracles, same encoder and variant: score on unseen tasks";
    }

    @Override
    public Set<Kind> trains() {
        return Set.of(Kind.SFT, Kind.LORA, Kind.RECON);
    }

    @Override
    public void run(Laboratory lab) {
        List<String> tasks = lab.trainingTasks();
        OracleFolder oracles = lab.oracles(tasks);
        Trained tuned = lab.train("L, fine-tuned", Kind.SFT, tasks, Map.of("network.variant", Variant.L.name()));
        Trained reproduced = lab.train("L, reconstructing " + tasks.size() + " oracles", Kind.RECON, tasks, alike(tuned.config(), lab.recipe(Kind.RECON), oracles));
        Columns make = lab.columns();
        Scored scored = Scored.of(lab, lab.unseen(), List.of(make.matching(RECON, lab.source(reproduced.folder())), make.matching(SFT, lab.source(tuned.folder()))));
        var table = new Table("", List.of(new Heading("training", "training", Unit.PLAIN), new Heading("steps", "steps", Unit.COUNT),
                new Heading("seconds", "training s", Unit.TENTHS),
                new Heading("oracle_seconds", "oracles s", Unit.TENTHS), new Heading("score", "score", Unit.PERCENT), new Heading("low", "from", Unit.PERCENT),
                new Heading("high", "to", Unit.PERCENT)));
        add(table, "fine-tuning", tuned, null, scored.summary(SFT));
        add(table, "reconstruction", reproduced, oracles.runs().values().stream().mapToDouble(Trained::seconds).sum(), scored.summary(RECON));
        EvalTable.Comparison pair = scored.compare(SFT, RECON);
        var difference = new Table("Fine-tuning less reconstruction, in points", List.of(new Heading("difference", "points", Unit.PERCENT),
                new Heading("low", "from", Unit.PERCENT),
                new Heading("high", "to", Unit.PERCENT), new Heading("wins", "wins", Unit.PLAIN), new Heading("ties", "ties", Unit.PLAIN),
                new Heading("losses", "losses", Unit.PLAIN)));
        difference.add(pair.difference(), pair.low(), pair.high(), pair.wins(), pair.ties(), pair.losses());
        lab.table(List.of(table, difference, byTask(scored)), scored.referencesAndIntervals(),
                "Variant L with encoder " + tuned.config().models().encoder().map(Encoders::shortName).orElse("base model")
                + " and the same descriptions in both; each with the steps and rate of its recipe. "
                        + "Reconstruction needs the oracles of all training tasks before it.");
        lab.plot(List.of(new Chart.Bars("score on unseen tasks", "%", scored.table().tasks(), List.of(group(scored, "fine-tuning", SFT), group(scored, "reconstruction", RECON)))));
    }

    /** What both share, said only where the recipes differ, so that other experiments find the same run. */
    private static Map<String, Object> alike(TrainingConfig tuned, TrainingConfig recon, OracleFolder oracles) {
        Map<String, Object> overrides = new LinkedHashMap<>();
        overrides.put("network.variant", Variant.L.name());
        overrides.put("reconstruction.oracles", oracles.path().toString());
        if (!tuned.models().encoder().equals(recon.models().encoder())) {
            overrides.put("encoder", tuned.models().encoder().orElse(null));
        }
        if (tuned.data().descriptions() != recon.data().descriptions() || !tuned.data().described().equals(recon.data().described())) {
            overrides.put("descriptions", tuned.data().descriptions());
            overrides.put("more_descriptions", tuned.data().described().map(Path::toString).orElse(null));
        }
        if (tuned.network().latent() != recon.network().latent() || tuned.network().headIn() != recon.network().headIn()) {
            overrides.put("network.latent", tuned.network().latent());
            overrides.put("network.head_in", tuned.network().headIn());
        }
        return overrides;
    }

    private static void add(Table table, String training, Trained run, Double oracles, EvalTable.Summary score) {
        table.add(training, run.steps(), run.seconds(), oracles, score.mean(), score.low(), score.high());
    }

    private static Table byTask(Scored scored) {
        List<String> columns = new ArrayList<>(scored.table().columns());
        List<Heading> headings = new ArrayList<>(List.of(new Heading("task", "task", Unit.PLAIN)));
        columns.forEach(column -> headings.add(new Heading(column, column, Unit.PERCENT)));
        var table = new Table("By task", headings);
        for (String task : scored.table().tasks()) {
            List<Object> values = new ArrayList<>(List.of(task));
            columns.forEach(column -> values.add(scored.table().score(column, task)));
            table.add(values.toArray());
        }
        return table;
    }

    private static Chart.Group group(Scored scored, String title, String column) {
        return new Chart.Group(title, scored.table().tasks().stream().map(task -> 100 * scored.table().score(column, task)).toList());
    }
}
