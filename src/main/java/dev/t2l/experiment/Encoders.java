package dev.t2l.experiment;

import dev.t2l.eval.Column;
import dev.t2l.eval.EvalTable;
import dev.t2l.experiment.Table.Heading;
import dev.t2l.experiment.Table.Unit;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.io.ModelSource;
import dev.t2l.train.TrainingConfig.Kind;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Who reads the descriptions (arXiv 2506.06105, section 5.2): a small text encoder, the base model, nobody; and a larger encoder where there is one. */
final class Encoders implements Experiment {
    private static final String NUMBERS = "one-hot";

    /** What a network reads by. */
    private record Row(String name, Trained run) {
        boolean numbered() {
            return name.equals(NUMBERS);
        }

        int width() {
            try (HyperCheckpoint checkpoint = HyperCheckpoint.load(run.folder())) {
                return checkpoint.config().architecture().embedding();
            }
        }
    }

    @Override
    public String name() {
        return "encoders";
    }

    @Override
    public String title() {
        return "MiniLM, the base model's last token, tasks' numbers, and gte where --gte names it, as encoders of descriptions";
    }

    @Override
    public void run(Laboratory lab) {
        List<Row> rows = new ArrayList<>();
        lab.settings().gte().ifPresent(ModelSource::resolve); // before anything is trained in vain
        Optional<String> own = lab.recipe(Kind.SFT).models().encoder();
        if (own.isPresent() && lab.settings().gte().map(Encoders::shortName).equals(own.map(Encoders::shortName))) {
            throw new IllegalArgumentException("--gte " + lab.settings().gte().get() + " is called as the recipe's encoder, " + own.get()
                    + "; HINT: name another one, or a link to it");
        }
        own.ifPresent(encoder -> rows.add(train(lab, shortName(encoder), Map.of())));
        Map<String, Object> none = new LinkedHashMap<>();
        none.put("encoder", null);
        rows.add(train(lab, "base model", none));
        rows.add(train(lab, NUMBERS, Map.of("condition", "one_hot")));
        lab.settings().gte().ifPresent(encoder -> rows.add(train(lab, shortName(encoder), Map.of("encoder", encoder))));

        List<Row> readers = rows.stream().filter(row -> !row.numbered()).toList();
        Scored unseen = Scored.of(lab, lab.unseen(), readers.stream().map(row -> lab.columns().matching(row.name(), lab.source(row.run().folder()))).toList());
        Scored trained = Scored.of(lab, lab.tasks(lab.nineTasks()), rows.stream().map(row -> column(lab, row)).toList());
        var table = new Table("", List.of(new Heading("encoder", "encoder", Unit.PLAIN), new Heading("width", "width", Unit.PLAIN), new Heading("steps", "steps", Unit.COUNT),
                new Heading("loss", "last training loss", Unit.NUMBER), new Heading("score", "unseen tasks", Unit.PERCENT), new Heading("low", "from", Unit.PERCENT),
                new Heading("high", "to", Unit.PERCENT), new Heading("trained", "nine training tasks", Unit.PERCENT)));
        for (Row row : rows) {
            EvalTable.Summary score = row.numbered() ? null : unseen.summary(row.name());
            table.add(row.name(), row.width(), row.run().steps(), row.run().lastLoss(), score == null ? null : score.mean(), score == null ? null : score.low(),
                    score == null ? null : score.high(), trained.mean(row.name()));
        }
        lab.table(List.of(table), unseen.referencesAndIntervals(), "On nine training tasks' test lines (" + String.join(", ", lab.nineTasks())
                + "), of evaluation descriptions that no training saw: the most frequent "
                + "answer scores " + Table.percent(trained.constant()) + ", the base alone " + Table.percent(trained.base()) + ". " + trained.examples(),
                "One-hot numbers know the training tasks alone: they can only be judged on these tasks' test lines, by the tasks' numbers, and not on unseen tasks.");
        lab.plot(List.of(new Chart.Bars("score on unseen tasks", "%", readers.stream().map(Row::name).toList(),
                        List.of(new Chart.Group("score", readers.stream().map(row -> 100 * unseen.mean(row.name())).toList()))),
                new Chart.Bars("score on nine training tasks", "%", rows.stream().map(Row::name).toList(),
                        List.of(new Chart.Group("score", rows.stream().map(row -> 100 * trained.mean(row.name())).toList())))));
    }

    private static Row train(Laboratory lab, String name, Map<String, Object> overrides) {
        Map<String, Object> all = new LinkedHashMap<>(overrides);
        all.put("network.variant", Variant.L.name());
        return new Row(name, lab.train("L, reading by " + name, Kind.SFT, lab.trainingTasks(), all));
    }

    private static Column column(Laboratory lab, Row row) {
        return row.numbered() ? lab.byTask(row.name(), lab.numbered(row.run().folder())) : lab.columns().matching(row.name(), lab.source(row.run().folder()));
    }

    /** Of a folder, file or hub id. */
    static String shortName(String model) {
        return Path.of(model).getFileName().toString();
    }
}
