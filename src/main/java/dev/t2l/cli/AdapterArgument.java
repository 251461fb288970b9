package dev.t2l.cli;

import dev.t2l.io.PeftAdapter;
import dev.t2l.model.DecoderConfig;
import dev.t2l.model.GgufAdapters;
import dev.t2l.tensor.LoraWeights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.TypeConversionException;

/**
 * An adapter on the command line: {@code path} or {@code path:scale}, such as {@code maths-lora:0.5}.
 *
 * @param path  a PEFT folder or a GGUF LoRA file
 * @param scale on top of the adapter's own; 1 if not given
 */
record AdapterArgument(Path path, float scale) {
    private static final Pattern WITH_SCALE = Pattern.compile("(.+):([-+]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][-+]?\\d+)?)");

    /** The two parts of an argument. */
    static AdapterArgument parse(String argument) {
        Matcher parts = WITH_SCALE.matcher(argument);
        if (!parts.matches()) {
            return new AdapterArgument(Path.of(argument), 1);
        }
        float scale = Float.parseFloat(parts.group(2));
        if (!Float.isFinite(scale)) {
            throw new TypeConversionException("'" + parts.group(2) + "' is too large for a scale");
        }
        return new AdapterArgument(Path.of(parts.group(1)), scale);
    }

    /**
     * The adapter, read.
     *
     * @throws dev.t2l.io.FormatException if it is broken or not supported
     * @throws IllegalArgumentException if it does not fit the base
     */
    LoraWeights read(DecoderConfig base) {
        if (!Files.isDirectory(path)) {
            return GgufAdapters.read(path, base);
        }
        LoraWeights weights = PeftAdapter.read(path).weights();
        base.requireFits(weights);
        return weights;
    }
}
