package dev.t2l.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Roofline;
import dev.t2l.bench.Case;
import dev.t2l.bench.DecoderShapes;
import dev.t2l.bench.EncoderShape;
import dev.t2l.bench.Figure;
import dev.t2l.bench.HyperShape;
import dev.t2l.bench.Stopwatch;
import dev.t2l.bench.Workbench;
import dev.t2l.hyper.HyperConfig.Variant;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code t2l bench}: how fast models of a shape run here, with random weights. */
@Command(name = "bench", description = {"Measures how fast models of a published shape run on this machine, with random weights.", "",
    "GB/s count what must be read and written at least, TFLOP/s the products and attention; the shares beside them are of the memory traffic "
        + "and of the library's bf16 product that the same run measured. What fits a cache may exceed the former."})
final class Bench implements Callable<Integer> {
    private static final ObjectMapper JSON = new ObjectMapper();

    @Mixin
    private BenchOptions options;

    @Option(names = "--shape", split = ",", paramLabel = "NAME", description = "Whose sizes: a language model (tiny, smollm2, mistral-7b, llama-3.1-8b, gemma-2-2b), "
        + "an encoder (minilm, gte-large), a hypernetwork (t2l-L, t2l-M, t2l-S), or one of each. "
        + "Default: mistral-7b on a GPU, else smollm2; with gte-large (smollm2: minilm, tiny: its own) and t2l-L.")
    private List<String> shapes = List.of();

    @Option(names = "--seconds", defaultValue = "3", paramLabel = "S", description = "Repeat each for so long. Default: ${DEFAULT-VALUE}.")
    private double seconds;

    @Option(names = "--warm-up", defaultValue = "1", paramLabel = "S", description = "Before that, run it unmeasured for so long. Default: ${DEFAULT-VALUE}.")
    private double warmUp;

    @Option(names = "--json", description = "Print each result as one line of JSON.")
    private boolean json;

    @Mixin
    private BackendOption backend;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        try (Backend open = backend.open()) {
            Workbench.Shapes chosen = shapes(open);
            BenchOptions.Plan plan = options.plan(spec.commandLine(), chosen.decoder());
            PrintWriter err = spec.commandLine().getErr();
            plan.left().forEach(what -> err.println("left out: " + what));
            try (var bench = new Workbench(open, chosen, new Stopwatch(warmUp, seconds))) {
                return run(bench, plan.cases(), open.description());
            }
        }
    }

    private int run(Workbench bench, List<Case> cases, String backendName) {
        PrintWriter out = spec.commandLine().getOut();
        if (!json) {
            out.println(ceilings(bench.roofline(), backendName));
            out.println(BenchTable.HEADER);
        }
        int failed = 0;
        for (Case one : cases) {
            try {
                Figure figure = one.run(bench);
                out.println(json ? line(figure, bench.roofline(), backendName) : BenchTable.row(figure));
            } catch (RuntimeException e) {
                failed++;
                spec.commandLine().getErr().println(spec.qualifiedName() + ": " + one + ": " + FailureMessage.of(e));
            }
        }
        return failed == 0 ? ExitCode.OK : ExitCode.SOFTWARE;
    }

    private Workbench.Shapes shapes(Backend open) {
        String decoder = null;
        EncoderShape encoder = null;
        Variant variant = Variant.L;
        for (String name : shapes) {
            if (DecoderShapes.names().contains(name)) {
                decoder = name;
            } else if (EncoderShape.names().contains(name)) {
                encoder = EncoderShape.of(name);
            } else if (HyperShape.names().stream().anyMatch(name::equalsIgnoreCase)) {
                variant = HyperShape.variant(name);
            } else {
                throw new ParameterException(spec.commandLine(), "no shape is called '" + name + "'; there are " + String.join(", ", DecoderShapes.names())
                        + "; " + String.join(", ", EncoderShape.names()) + "; " + String.join(", ", HyperShape.names()));
            }
        }
        if (decoder == null) {
            decoder = open.name().equals("cuda") ? "mistral-7b" : "smollm2";
        }
        if (encoder == null) {
            encoder = EncoderShape.beside(decoder);
        }
        return new Workbench.Shapes(decoder, encoder, variant, options.t2lType(spec.commandLine()));
    }

    private static String ceilings(Roofline roof, String backendName) {
        return String.format(Locale.ROOT, "%s%n%.1f GB/s: %s%n%s%n", backendName, roof.bytesPerSecond() * 1e-9, roof.traffic(),
                roof.flopsPerSecond().isEmpty() ? roof.product() : String.format(Locale.ROOT, "%.1f TFLOP/s: %s", roof.flopsPerSecond().getAsDouble() * 1e-12, roof.product()));
    }

    private static String line(Figure figure, Roofline roof, String backendName) {
        ObjectNode node = JSON.valueToTree(figure);
        node.put("bandwidthGigabytesPerSecond", roof.bytesPerSecond() * 1e-9);
        roof.flopsPerSecond().ifPresent(flops -> node.put("productTeraflopsPerSecond", flops * 1e-12));
        node.put("backend", backendName).put("version", Version.current());
        try {
            return JSON.writeValueAsString(node);
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }
}
