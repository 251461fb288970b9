package dev.t2l.cli;

import dev.t2l.backend.Backend;
import dev.t2l.train.Recipes;
import dev.t2l.train.Training;
import dev.t2l.train.TrainingConfig;
import dev.t2l.train.TrainingConfig.Kind;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code t2l train}: a configuration becomes a hypernetwork or adapters. */
@Command(name = "train", description = {"Trains a hypernetwork or adapters, as a YAML file or a recipe says.", "",
    "A run's folder keeps its configuration, metrics.jsonl, checkpoints, and what was trained: best (lowest validation loss) and final. "
        + "After kill -9 at any moment, --resume ends with the same bits as if nothing had been."})
final class Train implements Callable<Integer> {
    /** Recipes, for the help. */
    static final class RecipeNames extends ArrayList<String> {
        private static final long serialVersionUID = 1;

        RecipeNames() {
            super(Recipes.names());
        }
    }

    @Parameters(paramLabel = "KIND", description = "sft: a hypernetwork through the frozen base; recon: a hypernetwork towards adapters that are there; lora: adapters themselves.")
    private Kind kind;

    @Option(names = "--config", required = true, paramLabel = "FILE|RECIPE", completionCandidates = RecipeNames.class,
            description = "A YAML file, or one of the recipes ${COMPLETION-CANDIDATES}.")
    private String file;

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "Changes a key, such as optimiser.rate=1e-4; may be repeated.")
    private List<String> changes = List.of();

    @Option(names = "--resume", description = "Goes on after the last checkpoint of the run's folder; begins where there is none.")
    private boolean resume;

    @Mixin
    private BackendOption backend;

    @Mixin
    private Result result;

    @Spec
    private CommandSpec spec;

    /** @param best null if there was no validation */
    record Trained(String folder, String best, long steps) {
    }

    @Override
    public Integer call() {
        TrainingConfig config;
        try {
            config = TrainingConfig.load(file, changes);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), e.getMessage(), e);
        }
        if (config.kind() != kind) {
            throw new ParameterException(spec.commandLine(), file + " is a configuration for t2l train " + config.kind().name().toLowerCase(Locale.ROOT));
        }
        try (Backend open = backend.open(); var follower = new TrainingProgress(spec.commandLine().getErr())) {
            List<Trained> trained = Training.run(config, open, resume, follower).stream()
                    .map(r -> new Trained(r.trained().toString(), r.best().map(Path::toString).orElse(null), r.steps())).toList();
            result.print(trained, Train::text);
        }
        return 0;
    }

    private static String text(List<Trained> trained) {
        List<String> lines = trained.stream().map(t -> t.folder() + ": trained for " + t.steps() + " steps" + (t.best() == null ? "" : "; lowest validation loss in " + t.best())).toList();
        return String.join(System.lineSeparator(), lines);
    }
}
