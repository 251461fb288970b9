package dev.t2l.cli;

import dev.t2l.model.DecoderConfig;
import dev.t2l.model.DecoderFile;
import dev.t2l.model.FileType;
import dev.t2l.model.GgufExport;
import dev.t2l.ops.LoraBatch;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code t2l merge}: a model with adapters added to its weights, as GGUF. */
@Command(name = "merge", description = {"Writes a model with adapters added to its weights, as a GGUF file.", "",
        "Sums are formed in f32 and then rounded to the type of the file. Several adapters are added one after the other."})
final class Merge implements Callable<Integer> {
    @Option(names = "--base", required = true, paramLabel = "MODEL", description = "The base: a Hugging Face folder, a GGUF file, or a hub id.")
    private String base;

    @Option(names = "--adapter", required = true, paramLabel = "PATH[:SCALE]",
            description = "A PEFT folder or GGUF LoRA file, and how strongly it acts (default 1). May be given several times.")
    private List<AdapterArgument> adapters;

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "The GGUF file to write.")
    private Path target;

    @Option(names = "--type", paramLabel = "TYPE", description = "Type of the matrices: ${COMPLETION-CANDIDATES}. "
            + "Default: as in the base, but quantised matrices that an adapter is added to become Q8_0.")
    private FileType type;

    @Mixin
    private SourceOption source;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        GgufOutput.requireFile(target);
        Path path = source.resolve(base);
        DecoderConfig config = DecoderFile.config(path);
        List<LoraBatch.Entry> entries = adapters.stream().map(a -> new LoraBatch.Entry(a.read(config), LoraBatch.Weight.constant(a.scale()))).toList();
        try (var export = GgufExport.open(path, entries)) {
            GgufOutput.write(export.as(type), target, spec.commandLine().getOut());
        }
        return 0;
    }
}
