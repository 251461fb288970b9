package dev.t2l.cli;

import dev.t2l.Adapter;
import dev.t2l.DescriptionFormat;
import dev.t2l.LanguageModel;
import dev.t2l.TextEncoder;
import dev.t2l.TextToLora;
import dev.t2l.backend.Backend;
import dev.t2l.model.DecoderConfig;
import dev.t2l.model.DecoderFile;
import dev.t2l.tensor.DType;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code t2l adapt}: a sentence becomes an adapter on disk. */
@Command(name = "adapt", description = {"Turns one sentence that describes a task into a LoRA adapter.", "",
    "A hypernetwork that was trained with condition: input reads, with --input, the text that the adapted model is to answer."})
final class Adapt implements Callable<Integer> {
    /** Types of a saved adapter's matrices. */
    enum Type {
        F32, F16, BF16;

        DType dtype() {
            return DType.valueOf(name());
        }
    }

    @Parameters(paramLabel = "DESCRIPTION", description = "The sentence, such as \"Answer with the director of the film.\"")
    private String description;

    @Option(names = "--input", description = "The sentence is no description but an input, for a hypernetwork that reads such.")
    private boolean input;

    @Option(names = "--t2l", required = true, paramLabel = "DIR", description = "The trained hypernetwork: a folder with hypermod.pt, hypermod.safetensors or hypermod.gguf, args.yaml and adapter_config.json.")
    private String checkpoint;

    @Option(names = "--encoder", paramLabel = "MODEL", description = "The text encoder that the hypernetwork was trained with. Default: the one it names, in the local cache, or the base model.")
    private String encoder;

    @Option(names = "--base", paramLabel = "MODEL", description = "The language model that the adapter is for, to check that it fits. Its configuration is enough, unless its weights are the text encoder.")
    private String base;

    @Option(names = "--out", required = true, paramLabel = "PATH", description = "Where the adapter goes: a folder as PEFT loads it, or with --base a .gguf file as llama.cpp loads it.")
    private Path out;

    @Option(names = "--type", defaultValue = "f32", paramLabel = "TYPE", description = "Type of its matrices: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
    private Type type;

    @Mixin
    private BackendOption backend;

    @Mixin
    private SourceOption source;

    @Mixin
    private Result result;

    @Spec
    private CommandSpec spec;

    /** @param generateMillis from the sentence to the matrices, models already open */
    record Adapted(String description, String out, String baseModel, int pairs, int rank, float scale, long parameters, double generateMillis) {
    }

    @Override
    public Integer call() {
        boolean gguf = out.toString().endsWith(".gguf");
        if (gguf && base == null) {
            throw new ParameterException(spec.commandLine(), "a GGUF adapter is written for a certain model; HINT: give it with --base");
        }
        Path basePath = base == null ? null : source.resolve(base);
        try (Backend open = backend.open(); Opened models = open(basePath, open)) {
            long start = System.nanoTime();
            try (Adapter adapter = input ? models.t2l().generateForInput(description) : models.t2l().generate(DescriptionFormat.unquoted(description))) {
                double millis = (System.nanoTime() - start) * 1e-6;
                if (gguf) {
                    adapter.saveGguf(out, DecoderFile.config(basePath), type.dtype());
                } else {
                    adapter.save(out, type.dtype());
                }
                var pair = adapter.weights().pairs().values().iterator().next();
                result.print(new Adapted(description, out.toString(), adapter.config().baseModel(), adapter.weights().pairs().size(), pair.rank(), pair.scale(),
                        adapter.weights().parameters(), millis), Adapt::text);
            }
        }
        return 0;
    }

    /** The hypernetwork and what had to be opened for it. */
    private record Opened(TextToLora t2l, AutoCloseable... others) implements AutoCloseable {
        @Override
        public void close() {
            t2l.close();
            for (AutoCloseable other : others) {
                try {
                    other.close();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }
        }
    }

    private Opened open(Path basePath, Backend open) {
        Path folder = source.resolve(checkpoint);
        Optional<DecoderConfig> shape = Optional.ofNullable(basePath).map(DecoderFile::config);
        Optional<String> named = encoder != null ? Optional.of(encoder) : TextToLora.encoderOf(folder);
        if (named.isPresent()) {
            TextEncoder reader = TextEncoder.load(source.resolve(named.get()), open);
            try {
                return new Opened(TextToLora.load(folder, shape, open, reader), reader);
            } catch (RuntimeException e) {
                reader.close();
                throw e;
            }
        }
        if (basePath == null) {
            throw new IllegalArgumentException(folder + " reads descriptions with its base model; HINT: give that model with --base");
        }
        LanguageModel lm = LanguageModel.load(basePath, open);
        try {
            return new Opened(TextToLora.load(folder, lm), lm);
        } catch (RuntimeException e) {
            lm.close();
            throw e;
        }
    }

    private static String text(Adapted a) {
        return String.format(Locale.ROOT, "%s: %d LoRA pairs of rank %d, scale %.6g, %,d parameters, generated in %.1f ms", a.out(), a.pairs(), a.rank(), a.scale(),
                a.parameters(), a.generateMillis());
    }
}
