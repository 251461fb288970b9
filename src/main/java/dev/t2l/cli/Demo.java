package dev.t2l.cli;

import dev.t2l.DescriptionFormat;
import dev.t2l.TextToLora;
import dev.t2l.backend.Backend;
import dev.t2l.demo.DemoModels;
import dev.t2l.demo.DemoServer;
import dev.t2l.demo.DemoTasks;
import dev.t2l.demo.LiveTier;
import dev.t2l.demo.RecordedTier;
import dev.t2l.io.ModelLocator;
import dev.t2l.io.ModelSource;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code t2l demo}: what this is good for, shown in a minute. */
@Command(name = "demo", description = {"Shows in a minute what this does: sentences become adapters, and a small language model answers with them.", "",
    "The language model is found on this machine or downloaded once (94 MiB); the text encoder and the hypernetwork "
        + "are in the folder models of the sources, or named by --encoder and --t2l; with --base the demo runs on another model."})
final class Demo implements Callable<Integer> {
    private static final int WIDE = 100;
    private static final int HIGHEST_PORT = 65_535;

    @Option(names = "--models", paramLabel = "DIR", description = "A folder that may have the language model. Default: that of the variable T2L_MODELS.")
    private Path models;

    @Option(names = "--base", paramLabel = "MODEL", description = "Another language model: a folder, a GGUF file, or a hub id.")
    private String base;

    @Option(names = "--t2l", paramLabel = "DIR", description = "Another hypernetwork, trained for that language model.")
    private String checkpoint;

    @Option(names = "--encoder", paramLabel = "MODEL", description = "Its text encoder. Default, of another hypernetwork: the one it names, in the local cache, or the base model.")
    private String encoder;

    @Option(names = "--task", paramLabel = "DESCRIPTION", description = "A sentence of your own that describes a task: this alone is tried, with --prompt.")
    private String task;

    @Option(names = "--prompt", paramLabel = "PROMPT", description = "What to answer with the adapter of that sentence, and without it.")
    private String prompt;

    @Option(names = "--web", paramLabel = "PORT", arity = "0..1", fallbackValue = "8642",
            description = "Open the demo as a page for a browser on this machine, until Ctrl-C; 0: at any free port. Default port: ${FALLBACK-VALUE}.")
    private Integer web;

    @Option(names = "--svg", paramLabel = "FILE", description = "Write what the terminal would show to this file instead, as a picture (SVG).")
    private Path svg;

    @Mixin
    private BackendOption backend;

    @Mixin
    private SourceOption source;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        if ((task == null) != (prompt == null)) {
            throw new ParameterException(spec.commandLine(), "--task and --prompt belong together");
        }
        if (web != null && (task != null || svg != null)) {
            throw new ParameterException(spec.commandLine(), "--web goes without --task, --prompt and --svg: the page asks for these");
        }
        if (web != null && (web < 0 || web > HIGHEST_PORT)) {
            throw new ParameterException(spec.commandLine(), "--web wants a port from 0 to " + HIGHEST_PORT + ", found " + web);
        }
        if (svg == null) {
            show(Page.of(spec.commandLine().getOut(), spec.usageMessage().width(), Terminal.isStandardOutput()));
            return 0;
        }
        var kept = new StringWriter();
        show(Page.of(new PrintWriter(kept), WIDE, true));
        TerminalPicture.write(svg, command(), kept.toString());
        spec.commandLine().getOut().println(svg);
        return 0;
    }

    /** As it was typed, less {@code --svg}. */
    private String command() {
        List<String> words = new ArrayList<>(List.of("./t2l demo"));
        for (OptionSpec option : spec.commandLine().getParseResult().matchedOptions()) {
            if (!option.names()[0].equals("--svg")) {
                words.add(option.names()[0]);
                option.originalStringValues().forEach(value -> words.add(value.contains(" ") ? '"' + value + '"' : value));
            }
        }
        return String.join(" ", words);
    }

    private void show(Page page) throws IOException {
        long start = System.nanoTime();
        try (Backend open = backend.open(); DemoModels opened = open(open)) {
            var live = new LiveTier(opened, LiveTier.Effort.on(open.name()));
            if (web != null) {
                serve(page, opened, live);
                return;
            }
            var text = new DemoText(page);
            text.opening(opened);
            if (open.name().equals("java")) {
                text.fewer();
            }
            if (task != null) {
                own(page, text, live, DescriptionFormat.unquoted(task), prompt);
            } else {
                live(text, live);
                text.seconds("That took", start);
                new RecordedText(page).print(recorded());
                if (svg == null && Terminal.isConversation()) {
                    converse(page, text, live);
                }
            }
        }
    }

    private void serve(Page page, DemoModels opened, LiveTier live) {
        try (DemoServer server = DemoServer.start(opened, live, recorded(), web)) {
            page.out().println("The demo is at " + server.address() + " until Ctrl-C; nothing leaves this machine.");
            page.out().flush();
            new CountDownLatch(1).await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // an end as good as Ctrl-C
        }
    }

    /** The table of the models that come with the sources; of others there is none. */
    private Optional<RecordedTier> recorded() {
        return base == null && checkpoint == null && encoder == null ? RecordedTier.read(home("recorded")) : Optional.empty();
    }

    private DemoModels open(Backend open) {
        Path lm = base != null ? source.resolve(base) : locate();
        Path trained = checkpoint != null ? source.resolve(checkpoint) : shipped("t2l-smollm2");
        Optional<Path> reader = encoder != null ? Optional.of(source.resolve(encoder))
                : checkpoint == null ? Optional.of(ModelSource.resolve(shipped("all-MiniLM-L6-v2.gguf.gz"))) : TextToLora.encoderOf(trained).map(source::resolve);
        return DemoModels.open(lm, trained, reader, open);
    }

    private Path locate() {
        try (var progress = new DownloadProgress()) {
            return ModelLocator.standard(ModelLocator.Folder.chosen(models), progress).find(DemoModels.SMOLLM2);
        }
    }

    /** What lies in the folder {@code models} of the sources. */
    private static Path shipped(String name) {
        Path path = home(name);
        if (!Files.exists(path)) {
            throw new IllegalArgumentException(path + " is not there; HINT: run ./t2l in the folder of the sources, or give --t2l and --encoder");
        }
        return path;
    }

    private static Path home(String name) {
        return Path.of(System.getProperty("t2l.home", ""), "models", name);
    }

    private static void live(DemoText text, LiveTier live) {
        DemoTasks tasks = DemoTasks.load();
        DemoTasks.Task first = tasks.tasks().getFirst();
        text.latencies(live.latencies(first.description(), first.examples().getFirst().input()));
        text.tasksBegin(live.effort());
        List<LiveTier.TaskResult> results = new ArrayList<>();
        int n = tasks.tasks().size();
        for (int i = 0; i < n; i++) {
            results.add(live.task(tasks.tasks().get(i), tasks.tasks().get((i + 1) % n)));
            text.task(i + 1, results.getLast(), live.effort());
        }
        text.twoWaysBegin();
        tasks.twoWays().forEach(two -> text.twoWays(two, live.twoWays(two)));
        text.table(results);
    }

    private void converse(Page page, DemoText text, LiveTier live) throws IOException {
        page.heading("(e) Now yours: describe a task in one sentence (an empty line ends)");
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        while (true) {
            Optional<String> description = ask(page.out(), "    task:   ", in);
            Optional<String> asked = description.isEmpty() ? description : ask(page.out(), "    prompt: ", in);
            if (asked.isEmpty()) {
                return;
            }
            own(page, text, live, DescriptionFormat.unquoted(description.get()), asked.get());
            page.line();
        }
    }

    private static Optional<String> ask(PrintWriter out, String question, BufferedReader in) throws IOException {
        out.print(question);
        out.flush();
        String line = in.readLine();
        return line == null || line.isBlank() ? Optional.empty() : Optional.of(line.strip());
    }

    private static void own(Page page, DemoText text, LiveTier live, String description, String prompt) {
        live.position(description).ifPresentOrElse(text::position, text::noPosition);
        try (var answer = new AnswerLine(page, "    base model:  ")) {
            live.base(prompt, answer);
        }
        try (var answer = new AnswerLine(page, "    own adapter: ")) {
            live.adapted(description, prompt, answer);
        }
    }
}
