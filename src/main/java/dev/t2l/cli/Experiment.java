package dev.t2l.cli;

import dev.t2l.backend.Backend;
import dev.t2l.experiment.Campaign;
import dev.t2l.experiment.Experiments;
import dev.t2l.experiment.LabSettings;
import dev.t2l.experiment.LabSettings.Judging;
import dev.t2l.experiment.LabSettings.Trainings;
import dev.t2l.train.TrainingConfig;
import dev.t2l.train.TrainingConfig.Kind;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code t2l experiment}: trains, evaluates, and writes tables and plots. */
@Command(name = "experiment", description = {"Runs experiments: trains what they compare, evaluates it, and writes for each table.md, results.jsonl, plot.svg, plot.png and about.json.", "",
    "Whatever was trained or answered is found again: a command that was stopped goes on when it is given again, and experiments share what they have in common."})
final class Experiment implements Callable<Integer> {
    @Parameters(arity = "1..*", paramLabel = "NAME", description = "Experiments, run one after the other.", completionCandidates = Names.class)
    private List<String> names;

    @Option(names = "--out", defaultValue = "runs/experiments", paramLabel = "DIR",
            description = "Folder with a folder for each experiment, and of what they share: trained, oracles, answers. Default: ${DEFAULT-VALUE}.")
    private Path out;

    @Option(names = "--config", paramLabel = "FILE|RECIPE",
            description = "Train by another recipe than smollm2-sft, smollm2-recon or oracle, in place of the one of its kind; may be repeated.")
    private List<String> configs = List.of();

    @Option(names = "--set", paramLabel = "[KIND:]KEY=VALUE",
            description = "Changes a key of all trainings, or of those of a kind (sft, recon, lora), such as sft:optimiser.rate=5e-4; "
            + "may be repeated. With steps, epochs or steps_per_task, steps are no longer in proportion to tasks.")
    private List<String> changes = List.of();

    @Option(names = "--budget", defaultValue = "1", paramLabel = "FRACTION", description = "Train for this share of the recipes' steps. Default: ${DEFAULT-VALUE}.")
    private double budget;

    @Option(names = "--tasks", split = ",", paramLabel = "NAME", description = "Judge on these unseen tasks alone, with commas between.")
    private List<String> tasks = List.of();

    @Option(names = "--examples", defaultValue = "60", paramLabel = "N", description = "The first N test examples of each task; 0 for all. Default: ${DEFAULT-VALUE}.")
    private int examples;

    @Option(names = "--descriptions", defaultValue = "3", paramLabel = "N", description = "The first N evaluation descriptions of each task. Default: ${DEFAULT-VALUE}.")
    private int descriptions;

    @Option(names = "--seed", defaultValue = "0", paramLabel = "N",
            description = "Of drawn sets of tasks, and bootstrap; trainings have their recipe's. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(names = "--gte", paramLabel = "MODEL", description = "Compare this text encoder, too, such as gte-large-en-v1.5: a folder or hub id.")
    private String gte;

    @Option(names = "--t2l", paramLabel = "DIR", description = "Look into this hypernetwork (experiments descriptions, embeddings, cost), read by the recipe's encoder. "
            + "Default: one that the recipe trains on all of its tasks, or has trained in --out.")
    private Path network;

    @Mixin
    private BackendOption backend;

    @Mixin
    private Result result;

    @Spec
    private CommandSpec spec;

    /** The experiments, for the help. */
    static final class Names extends ArrayList<String> {
        private static final long serialVersionUID = 1;

        Names() {
            super(Experiments.all().stream().map(dev.t2l.experiment.Experiment::name).toList());
        }
    }

    /** With the experiments in its help. */
    static String[] footer() {
        List<String> lines = new ArrayList<>(List.of("", "Experiments:"));
        Experiments.all().forEach(one -> lines.add(String.format("  %-15s %s", one.name(), one.title())));
        return lines.toArray(String[]::new);
    }

    @Override
    public Integer call() {
        LabSettings settings;
        List<dev.t2l.experiment.Experiment> wanted;
        try {
            settings = new LabSettings(out, new Trainings(recipes(), changes, budget), new Judging(tasks, examples, descriptions), seed,
                    Optional.ofNullable(gte), Optional.ofNullable(network), command());
            wanted = names.stream().map(Experiments::of).toList();
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), e.getMessage(), e);
        }
        List<Campaign.Report> reports = new ArrayList<>();
        try (Backend open = backend.open(); var progress = new LabProgress(spec.commandLine().getErr()); var campaign = new Campaign(settings, open, progress)) {
            wanted.forEach(experiment -> reports.add(campaign.run(experiment)));
        }
        result.print(reports, Experiment::text);
        return 0;
    }

    private Map<Kind, String> recipes() {
        Map<Kind, String> recipes = new EnumMap<>(LabSettings.RECIPES);
        configs.forEach(source -> recipes.put(TrainingConfig.load(source, List.of()).kind(), source));
        return recipes;
    }

    private String command() {
        return "t2l " + String.join(" ", spec.commandLine().getParseResult().originalArgs().stream().map(Experiment::quoted).toList());
    }

    private static String quoted(String argument) {
        return argument.matches("[\\w./:=,+-]+") ? argument : "'" + argument.replace("'", "'\\''") + "'";
    }

    private static String text(List<Campaign.Report> reports) {
        return reports.stream().map(report -> report.text() + "\n" + report.folder()).collect(Collectors.joining("\n\n"));
    }
}
