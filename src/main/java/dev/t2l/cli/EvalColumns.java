package dev.t2l.cli;

import dev.t2l.LanguageModel;
import dev.t2l.TextToLora;
import dev.t2l.data.Spelling;
import dev.t2l.eval.Column;
import dev.t2l.eval.Columns;
import dev.t2l.eval.EvalData;
import dev.t2l.eval.EvalTask;
import dev.t2l.eval.NearestTask;
import dev.t2l.eval.TaskAdapters;
import dev.t2l.hyper.HyperConfig.Condition;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options of {@code t2l eval} that say which columns there are. */
final class EvalColumns {
    @Option(names = "--t2l", paramLabel = "[NAME=]DIR", description = "A hypernetwork; may be repeated. Its name is that of its columns. Default: t2l.")
    private List<String> networks = List.of();

    @Option(names = "--encoder", paramLabel = "MODEL", description = "The hypernetworks' text encoder. Default: the one they name, in the local cache, or the base model.")
    private String encoder;

    @Option(names = "--lora", paramLabel = "NAME=DIR",
            description = "An adapter for all tasks: a PEFT folder or GGUF file; may be repeated. The first is the multi-task LoRA that cells are marked against.")
    private List<String> adapters = List.of();

    @Option(names = "--oracles", paramLabel = "DIR",
            description = "Adapters of single tasks: PEFT folders named by task, or a folder of t2l train lora --config oracle; may be repeated.")
    private List<Path> oracles = List.of();

    @Option(names = "--scale", paramLabel = "NAME=SCALE",
            description = "How strongly the adapters of a --t2l or --lora, or the oracles (NAME: oracle) act: own, alpha/r or alpha/sqrt(r). Default: own, as their configuration says.")
    private List<String> scales = List.of();

    @Option(names = "--columns", split = ",", paramLabel = "NAME",
            description = "Only these columns, with commas between, in the order of the list above. Default: all but NAME+examples of a --lora or --t2l (examples in the prompt, too).")
    private List<String> chosen = List.of();

    @Option(names = "--descriptions", defaultValue = "3", paramLabel = "N", description = "The first N evaluation descriptions of each task. Default: ${DEFAULT-VALUE}.")
    private int descriptions;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    /** @throws IllegalArgumentException if a scale is none, or nobody's */
    EvalSources open(LanguageModel base, SourceOption source) {
        Map<String, String> wanted = EvalSources.names(scales, null);
        Set<String> names = new HashSet<>(Set.of(Columns.ORACLE));
        names.addAll(EvalSources.names(networks, "t2l").keySet());
        names.addAll(EvalSources.names(adapters, null).keySet());
        wanted.keySet().stream().filter(name -> !names.contains(name)).findFirst().ifPresent(name -> {
            throw new IllegalArgumentException("--scale " + name + " is of no adapter; there are " + names);
        });
        return new EvalSources(base, source, encoder, wanted);
    }

    /** Those that are asked for. */
    List<Column> of(EvalSources sources, EvalData data, List<EvalTask> judged, long seed) {
        var make = new Columns(seed, descriptions);
        Map<String, EvalSources.Network> open = sources.networks(networks);
        Optional<TaskAdapters> single = oracles.isEmpty() ? Optional.empty() : Optional.of(sources.oracles(oracles));
        List<Column> all = new ArrayList<>(List.of(make.constant(), make.trainConstant(), make.base(), make.described()));
        List<String> bare = judged.stream().filter(task -> task.train().isEmpty() && task.shots().isEmpty()).map(EvalTask::name).toList();
        boolean shots = bare.isEmpty();
        if (shots) {
            all.add(make.withExamples(judged));
        }
        single.ifPresent(library -> {
            List<String> others = others(library, data, judged);
            if (!others.isEmpty()) {
                all.add(make.adapter("average", "average of LoRAs", library.average(others)));
                all.add(make.adapter("arrow", "Arrow routing", library.arrow(others)));
            }
        });
        sources.adapters(adapters).forEach((name, one) -> {
            all.addAll(List.of(make.adapter(name, one), make.describedAdapter(name, one)));
            onRequest(all, make.adapterWithExamples(name, one), shots);
        });
        single.ifPresent(library -> {
            List<String> others = others(library, data, judged);
            if (!others.isEmpty()) {
                var nearest = new NearestTask(sources.encoder(open.values()), data.trainingDescriptions(others));
                all.add(make.nearest(library.each(), nearest::of));
            }
        });
        open.forEach((name, one) -> {
            if (one.network().config().origin().condition() == Condition.INPUT) {
                all.add(make.perInput(name, one.source()));
            } else {
                all.addAll(List.of(make.random(name, one.source()), make.other(name, one.source(), data::descriptions), make.vague(name, one.source()),
                        make.matching(name, one.source()), make.matchingDescribed(name, one.source())));
                onRequest(all, make.matchingWithExamples(name, one.source()), shots);
            }
        });
        single.filter(library -> judged.stream().allMatch(task -> library.tasks().contains(task.name()))).ifPresent(library -> all.add(make.oracle(library.each())));
        return chosen(all, bare);
    }

    private void onRequest(List<Column> all, Column column, boolean possible) {
        if (possible && chosen.contains(column.name())) {
            all.add(column);
        }
    }

    /** The evaluation descriptions that the first hypernetwork was published with. */
    Map<String, List<String>> evalDescriptions(SourceOption source) {
        return EvalSources.names(networks, "t2l").values().stream().findFirst().map(path -> TextToLora.evalDescriptionsOf(source.resolve(path))).orElse(Map.of());
    }

    /** Looks for what {@link #of} will open. */
    void look(EvalInputs inputs) {
        EvalSources.names(networks, "t2l").forEach((name, source) -> inputs.model("--t2l", source));
        Optional.ofNullable(encoder).ifPresent(source -> inputs.model("--encoder", source));
        EvalSources.names(adapters, null).forEach((name, source) -> inputs.model("--lora", source));
        oracles.forEach(folder -> inputs.folder("--oracles", folder, "t2l train lora --config oracle makes such adapters"));
    }

    /** Tasks with an adapter that belong to no suite of which a task is judged. */
    private static List<String> others(TaskAdapters library, EvalData data, List<EvalTask> judged) {
        return data.outside(judged.stream().map(EvalTask::suite).collect(Collectors.toSet())).stream().filter(library.tasks()::contains).toList();
    }

    /** @param bare tasks that have no examples to show */
    private List<Column> chosen(List<Column> all, List<String> bare) {
        List<String> names = all.stream().map(Column::name).toList();
        for (String name : chosen) {
            if (!names.contains(name)) {
                throw new ParameterException(spec.commandLine(), "no column is called '" + name + "'; there are " + String.join(", ", names)
                        + Spelling.nearest(name, names).map(near -> "; did you mean '" + near + "'?").orElse("")
                        + (name.endsWith("examples") && !bare.isEmpty() ? "; HINT: there are no examples to show for " + String.join(", ", bare) : "")
                        + (name.equals(Columns.ORACLE) ? "; HINT: --oracles must have an adapter of every task that is judged" : ""));
            }
        }
        return chosen.isEmpty() ? all : all.stream().filter(column -> chosen.contains(column.name())).toList();
    }

    /** The last of these that adapts by the task's own description. */
    Optional<String> matching(List<Column> asked) {
        List<String> names = asked.stream().map(Column::name).toList();
        return EvalSources.names(networks, "t2l").keySet().stream().filter(names::contains).reduce((_, last) -> last);
    }

    /** Marks of cells above a column: the multi-task LoRA's, the oracle's. */
    Map<String, String> marks(List<Column> asked) {
        List<String> names = asked.stream().map(Column::name).toList();
        Map<String, String> marks = new LinkedHashMap<>();
        EvalSources.names(adapters, null).keySet().stream().limit(1).filter(names::contains).forEach(name -> marks.put("*", name));
        if (names.contains(Columns.ORACLE)) {
            marks.put("†", Columns.ORACLE);
        }
        return marks;
    }
}
