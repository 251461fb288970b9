package dev.t2l.cli;

import dev.t2l.Adapter;
import dev.t2l.AdapterMix;
import dev.t2l.tensor.DType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code t2l average}: several adapters become one. */
@Command(name = "average", description = {"Writes the average of adapters, as a folder that PEFT loads.", "",
    "It adds to a base the mean of what they add: their factors side by side, so that its rank is the sum of theirs. With --elementwise it is the "
        + "mean of their A and of their B, of their rank: the baseline of Text-to-LoRA's paper."})
final class Average implements Callable<Integer> {
    @Parameters(arity = "1..*", paramLabel = "PATH[:SCALE]", description = "PEFT folders, and how strongly each counts (default 1).")
    private List<AdapterArgument> adapters;

    @Option(names = "--elementwise", description = "Average A and B by themselves; all adapters must have one rank, one scale and the same targets.")
    private boolean elementwise;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "The folder to write.")
    private Path out;

    @Option(names = "--type", defaultValue = "f32", paramLabel = "TYPE", description = "Type of its matrices: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
    private Adapt.Type type;

    @Mixin
    private Result result;

    /** @param parameters values in all matrices */
    record Averaged(String out, int adapters, int rank, long parameters) {
    }

    @Override
    public Integer call() {
        if (Files.isRegularFile(out)) {
            throw new IllegalArgumentException("--out " + out + " is a file; wanted the folder of a PEFT adapter");
        }
        List<AdapterMix.Part> parts = new ArrayList<>();
        for (AdapterArgument adapter : adapters) {
            parts.add(new AdapterMix.Part(Adapter.load(adapter.path()), adapter.scale() / adapters.size()));
        }
        AdapterMix mix = AdapterMix.of(parts.toArray(AdapterMix.Part[]::new));
        try (Adapter average = elementwise ? mix.elementwise() : mix.concatenated()) {
            DType dtype = type.dtype();
            average.save(out, dtype);
            int rank = average.weights().pairs().values().stream().mapToInt(pair -> pair.rank()).max().orElseThrow();
            result.print(new Averaged(out.toString(), parts.size(), rank, average.weights().parameters()), Average::text);
        }
        return 0;
    }

    private static String text(Averaged a) {
        return String.format(Locale.ROOT, "%s: the average of %d adapters, of rank %d, %,d parameters", a.out(), a.adapters(), a.rank(), a.parameters());
    }
}
