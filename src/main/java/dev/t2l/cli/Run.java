package dev.t2l.cli;

import dev.t2l.Adaptation;
import dev.t2l.Chat;
import dev.t2l.Completion;
import dev.t2l.LanguageModel;
import dev.t2l.Request;
import dev.t2l.Sampling;
import dev.t2l.backend.Backend;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code t2l run}: a language model speaks, with adapters from disk or from a sentence. */
@Command(name = "run", description = {"Generates text with a language model and adapters, from disk or from one sentence.", "",
    "Without a prompt it is a conversation: each line of standard input is a message."})
final class Run implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "PROMPT", description = "What to answer, in the model's chat template.")
    private String prompt;

    @Option(names = "--base", required = true, paramLabel = "MODEL", description = "The language model: a folder, a GGUF file, or a hub id.")
    private String base;

    @Option(names = "--adapter", paramLabel = "PATH[:SCALE]", description = "An adapter to add, a PEFT folder or a GGUF LoRA file; may be given several times. Scale 0 is the base model, default 1.")
    private List<AdapterArgument> adapters = List.of();

    @ArgGroup(exclusive = false, heading = "%nAn adapter from a sentence, or from each prompt:%n")
    private HypernetworkOptions hypernetwork;

    @ArgGroup(exclusive = false, heading = "%nHow several adapters act together (default: they are added):%n")
    private ArrowOptions arrow;

    @ArgGroup(exclusive = false, heading = "%nHow tokens are chosen (default: always the most likely one):%n")
    private SamplingOptions samplingOptions = new SamplingOptions();

    @Option(names = "--system", paramLabel = "TEXT", description = "Instructions to the model, before the conversation.")
    private String system;

    @Option(names = "--raw", description = "Continue the prompt as it is, without chat template.")
    private boolean raw;

    @Option(names = "--stats", description = "Tell on standard error how long each part took.")
    private boolean stats;

    @Option(names = "--json", description = "Print the answer with its tokens and times as one JSON document, when it is complete.")
    private boolean json;

    @Mixin
    private BackendOption backend;

    @Mixin
    private SourceOption source;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        if (prompt == null && (raw || json)) {
            throw new ParameterException(spec.commandLine(), "--raw and --json need a prompt");
        }
        Sampling sampling = samplingOptions.sampling(spec.commandLine());
        try (Backend open = backend.open(); LanguageModel lm = LanguageModel.load(source.resolve(base), open);
                var chosen = new ChosenAdapters(lm, millis -> tell("adapter from the sentence in %.1f ms", millis))) {
            adapters.forEach(chosen::load);
            if (hypernetwork != null) {
                hypernetwork.addTo(chosen, source, spec.commandLine());
            }
            if (arrow != null) {
                chosen.route(arrow);
            }
            if (prompt == null) {
                converse(lm, chosen, sampling);
            } else {
                Adaptation adaptation = chosen.forPrompt(prompt);
                answer(lm, raw ? Request.raw(prompt, adaptation, sampling) : Request.of(begin().thenUser(prompt), adaptation, sampling));
            }
        }
        return 0;
    }

    private Chat begin() {
        return system == null ? Chat.empty() : Chat.system(system);
    }

    private Completion answer(LanguageModel lm, Request request) {
        PrintWriter out = spec.commandLine().getOut();
        Completion done;
        try (var progress = Progress.of(json ? "generating" : "reading the prompt", -1, "", 1)) {
            done = lm.generate(json ? request : request.withSink(piece -> {
                progress.close();
                out.print(piece);
                out.flush();
            }));
        }
        if (json) {
            out.println(Result.toJson(done));
        } else {
            out.println();
        }
        tell("%d prompt tokens in %.1f ms, %d tokens at %.1f tokens/s, %s", done.promptTokens(), done.prefillNanos() * 1e-6, done.tokens().length,
                done.tokensPerSecond(), done.finish());
        return done;
    }

    private void converse(LanguageModel lm, ChosenAdapters chosen, Sampling sampling) throws IOException {
        PrintWriter err = spec.commandLine().getErr();
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        boolean person = Terminal.isStandardError();
        Chat chat = begin();
        while (true) {
            if (person) {
                err.print("> ");
                err.flush();
            }
            String line = in.readLine();
            if (line == null) {
                return;
            }
            if (!line.isBlank()) {
                chat = chat.thenUser(line);
                chat = chat.thenAssistant(answer(lm, Request.of(chat, chosen.forPrompt(line), sampling)).text());
            }
        }
    }

    private void tell(String format, Object... values) {
        if (stats) {
            spec.commandLine().getErr().println(String.format(Locale.ROOT, format, values));
        }
    }
}
