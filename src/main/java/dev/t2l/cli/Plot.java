package dev.t2l.cli;

import dev.t2l.experiment.Charts;
import dev.t2l.train.MetricsLog;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code t2l plot}: metrics of runs, or what an experiment found, as a picture. */
@Command(name = "plot", description = "Draws loss, learning rate and gradient norm of training runs, finished or not; or an experiment's plot from its " + Charts.FILE
        + ". What cannot be drawn is a warning, not a failure.")
final class Plot implements Callable<Integer> {
    @Parameters(arity = "1..*", paramLabel = "FOLDER", description = "Folders of runs (with " + MetricsLog.FILE + "), drawn side by side; or of one experiment (with " + Charts.FILE + ").")
    private List<Path> folders;

    @Option(names = "--out", paramLabel = "FILE", description = "A .svg or .png file. Default: metrics.svg in the first run's folder, plot.svg in the experiment's.")
    private Path out;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        boolean experiment = folders.stream().anyMatch(Charts::in);
        if (experiment && folders.size() > 1) {
            throw new ParameterException(spec.commandLine(), "the folder of an experiment is drawn alone, found " + folders.size() + " folders");
        }
        Path file = out != null ? out : folders.getFirst().resolve(experiment ? "plot.svg" : "metrics.svg");
        PrintWriter err = spec.commandLine().getErr();
        try {
            if (experiment) {
                Charts.read(folders.getFirst()).draw(file);
            } else {
                drawRuns(file, err);
            }
            spec.commandLine().getOut().println(file);
        } catch (Exception | LinkageError e) { // fonts and native parts of AWT may be missing
            err.println("warning: nothing is drawn: " + FailureMessage.of(e));
        }
        return 0;
    }

    private void drawRuns(Path file, PrintWriter err) throws IOException {
        Map<String, RunCharts.Run> found = new LinkedHashMap<>();
        for (Path run : folders) {
            try {
                found.put(run.normalize().toString(), RunCharts.Run.of(MetricsLog.read(run)));
            } catch (RuntimeException e) {
                err.println("warning: " + run + " is not drawn: " + FailureMessage.of(e));
            }
        }
        RunCharts.draw(found, file);
    }
}
