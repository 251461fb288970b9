package dev.t2l.cli;

import dev.t2l.train.MetricsLog;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code t2l plot}: metrics of runs as a picture. */
@Command(name = "plot", description = "Draws loss, learning rate and gradient norm of training runs, finished or not. What cannot be drawn is a warning, not a failure.")
final class Plot implements Callable<Integer> {
    @Parameters(arity = "1..*", paramLabel = "RUN", description = "Folders of runs (with " + MetricsLog.FILE + "), drawn side by side.")
    private List<Path> runs;

    @Option(names = "--out", paramLabel = "FILE", description = "A .svg or .png file. Default: metrics.svg in the first run's folder.")
    private Path out;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        Path file = out != null ? out : runs.getFirst().resolve("metrics.svg");
        PrintWriter err = spec.commandLine().getErr();
        Map<String, RunCharts.Run> found = new LinkedHashMap<>();
        for (Path run : runs) {
            try {
                found.put(run.normalize().toString(), RunCharts.Run.of(MetricsLog.read(run)));
            } catch (RuntimeException e) {
                err.println("warning: " + run + " is not drawn: " + FailureMessage.of(e));
            }
        }
        try {
            RunCharts.draw(found, file);
            spec.commandLine().getOut().println(file);
        } catch (Exception | LinkageError e) { // fonts and native parts of AWT may be missing
            err.println("warning: nothing is drawn: " + FailureMessage.of(e));
        }
        return 0;
    }
}
