package dev.t2l.experiment;

import dev.t2l.experiment.Table.Heading;
import dev.t2l.experiment.Table.Unit;
import dev.t2l.train.TrainingConfig.Kind;
import java.util.List;
import java.util.Set;

/** The oracles of all training tasks, which other experiments would make when they need them. */
final class Oracles implements Experiment {
    @Override
    public String name() {
        return "oracles";
    }

    @Override
    public String title() {
        return "One LoRA for each training task, trained on it alone; what other experiments build on";
    }

    @Override
    public Set<Kind> trains() {
        return Set.of(Kind.LORA);
    }

    @Override
    public void run(Laboratory lab) {
        OracleFolder oracles = lab.oracles(lab.trainingTasks());
        var table = new Table("", List.of(new Heading("task", "task", Unit.PLAIN), new Heading("steps", "steps", Unit.COUNT), new Heading("seconds", "s", Unit.TENTHS),
                new Heading("loss", "last loss", Unit.NUMBER), new Heading("mib", "MiB", Unit.HUNDREDTHS)));
        oracles.runs().forEach((task, run) -> table.add(task, run.steps(), run.seconds(), run.lastLoss(), oracles.mebibytes(task)));
        lab.table(List.of(table), "Losses are of training: means over the last twentieth of the steps. The adapters lie in `" + oracles.path() + "`.");
        List<Double> losses = oracles.runs().values().stream().map(Trained::lastLoss).sorted().toList();
        lab.plot(List.of(new Chart.Bars("last loss of each oracle, in order", "loss", losses.stream().map(loss -> "").toList(), List.of(new Chart.Group("loss", losses)))));
    }
}
