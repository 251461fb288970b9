package dev.t2l.cli;

import dev.t2l.Adapter;
import dev.t2l.io.Gguf;
import dev.t2l.io.GgufAdapter;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.PeftConfigs;
import dev.t2l.model.DecoderConfig;
import dev.t2l.model.DecoderFile;
import dev.t2l.model.FileType;
import dev.t2l.model.GgufAdapters;
import dev.t2l.model.GgufExport;
import dev.t2l.model.TensorType;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.text.TokenGroup;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code t2l export}: models to GGUF, adapters from PEFT to GGUF and back. */
@Command(name = "export", description = {"Writes a model as GGUF, or an adapter in the other of its two forms.", "",
        "A decoder or a BERT encoder, from a Hugging Face folder or a GGUF file, becomes a GGUF file as llama.cpp loads it. "
                + "Norms, biases and (without --tensor-type) position tables are f32; a matrix whose rows are no whole number of blocks is f16; in files of four or five bits "
                + "the matrix that makes the logits is q8_0.", "",
        "A PEFT adapter's folder becomes a GGUF LoRA file, and such a file a PEFT folder.", "",
        "A Text-to-LoRA checkpoint is written again with its training descriptions' embeddings, if it has them: as f32, f16 or bf16 in a "
                + "safetensors file, or with its large matrices as q8_0 in a GGUF file."})
final class Export implements Callable<Integer> {
    private static final Set<FileType> ADAPTER_TYPES = EnumSet.of(FileType.F32, FileType.F16, FileType.BF16);

    @Parameters(paramLabel = "SRC", description = "A model (folder, GGUF file, or hub id), an adapter (PEFT folder or GGUF file) or a checkpoint's folder.")
    private String original;

    @Option(names = "--out", required = true, paramLabel = "FILE|DIR", description = "The GGUF file to write, or the folder of a PEFT adapter or checkpoint.")
    private Path target;

    @Option(names = "--type", paramLabel = "TYPE",
            description = "Type of the matrices: ${COMPLETION-CANDIDATES}; of adapters F32, F16 or BF16. Default: as in SRC; of adapters F32.")
    private FileType type;

    @Option(names = "--tensor-type", paramLabel = "REGEX=TYPE",
            description = "Of models: another type for the matrices whose names in the file have a match; may be given several times, the first that matches holds.")
    private List<TensorType> exceptions = List.of();

    @Option(names = "--drop-tokens", split = ",", paramLabel = "GROUP",
            description = "Of BERT folders: leave out tokens and their rows: ${COMPLETION-CANDIDATES}, with commas between. Texts without them are encoded as before; scripts left out become [UNK].")
    private Set<TokenGroup> dropped = Set.of();

    @Option(names = "--descriptions", paramLabel = "N", defaultValue = "0",
            description = "Of checkpoints: keep the embeddings of the first N training descriptions of each task; 0 for all. Default: ${DEFAULT-VALUE}.")
    private int descriptions;

    @Option(names = "--base", paramLabel = "MODEL",
            description = "For adapters: the base model, of which only the configuration is read. Needed towards GGUF, and from GGUF where a llama's q or k is adapted.")
    private String base;

    @Mixin
    private SourceOption source;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        Path path = source.resolve(original);
        FileKind kind = FileKind.of(path);
        switch (kind) {
            case PEFT -> peftToGguf(path);
            case MODEL -> model(path);
            case CHECKPOINT -> checkpoint(path);
            case GGUF -> {
                if (isAdapter(path)) {
                    ggufToPeft(path);
                } else {
                    model(path);
                }
            }
            default -> throw new IllegalArgumentException(path + " is a " + kind.label() + "; wanted a model's folder or GGUF file, an adapter or a checkpoint");
        }
        return 0;
    }

    private static boolean isAdapter(Path path) {
        try (Gguf file = Gguf.open(path)) {
            return file.string("general.type", "model").equals("adapter");
        }
    }

    private void model(Path path) {
        if (base != null) {
            throw new IllegalArgumentException("--base is for adapters; " + path + " is a model");
        }
        GgufOutput.requireFile(target);
        try (var export = dropped.isEmpty() ? GgufExport.open(path) : GgufExport.open(path, dropped)) {
            GgufOutput.write(export.as(type, exceptions), target, out());
        }
    }

    private void checkpoint(Path path) {
        if (type == null) {
            throw new IllegalArgumentException("a checkpoint is written again in another type; HINT: give it with --type");
        }
        if (descriptions < 0) {
            throw new IllegalArgumentException("--descriptions " + descriptions + ": wanted a number of descriptions, or 0 for all");
        }
        CheckpointExport.write(path, target, type.dtype(), descriptions == 0 ? Integer.MAX_VALUE : descriptions);
        out().println(target + ": " + Mebibytes.of(CheckpointExport.bytes(target)));
    }

    private void peftToGguf(Path path) {
        if (base == null) {
            throw new IllegalArgumentException("a GGUF adapter names its base's architecture; HINT: give the base model with --base");
        }
        GgufOutput.requireFile(target);
        try (Adapter adapter = Adapter.load(path)) {
            adapter.saveGguf(target, baseConfig(), adapterType());
        }
        GgufOutput.report(target, out());
    }

    private void ggufToPeft(Path path) {
        if (Files.isRegularFile(target)) {
            throw new IllegalArgumentException("--out " + target + " is a file; wanted the folder of a PEFT adapter");
        }
        LoraWeights weights = base == null ? GgufAdapter.read(path, null).weights() : GgufAdapters.read(path, baseConfig());
        PeftAdapter.write(target, weights, PeftConfigs.describing(weights, base, true), adapterType());
        GgufOutput.report(target.resolve(PeftAdapter.FILE), out());
    }

    private DecoderConfig baseConfig() {
        return DecoderFile.config(source.resolve(base));
    }

    private DType adapterType() {
        if (type != null && !ADAPTER_TYPES.contains(type)) {
            throw new IllegalArgumentException("adapters are written as " + ADAPTER_TYPES + ", not " + type);
        }
        return type == null ? DType.F32 : type.dtype();
    }

    private PrintWriter out() {
        return spec.commandLine().getOut();
    }
}
