package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Placement;
import dev.t2l.io.Gguf;
import dev.t2l.io.SafeTensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Function;

/** A decoder on disk, opened: its configuration and its mapped weights. Closing it ends the mapping. */
public record DecoderFile(DecoderConfig config, DecoderWeights weights, Runnable release) implements AutoCloseable {

    /** Only the configuration: weights are not read. */
    public static DecoderConfig config(Path path) {
        if (Files.isDirectory(path)) {
            return HfDecoder.config(path.resolve("config.json"));
        }
        try (Gguf file = Gguf.open(path)) {
            return GgufDecoder.config(file);
        }
    }

    /**
     * Opens a Hugging Face folder (config.json, model.safetensors or shards with an index) or a GGUF file.
     *
     * @throws dev.t2l.io.FormatException if a file breaks its format, or a tensor is missing, misshapen or unknown
     */
    public static DecoderFile open(Path path, Backend backend) {
        return Files.isDirectory(path) ? folder(path, backend) : gguf(path, backend);
    }

    private static DecoderFile folder(Path path, Backend backend) {
        DecoderConfig config = config(path);
        SafeTensors file = SafeTensors.open(path);
        return placed(backend, file::close, placement -> {
            var weights = HfDecoder.names(config.architecture()).read(path, file.weights(), config, placement);
            return new Contents(config, weights);
        });
    }

    private static DecoderFile gguf(Path path, Backend backend) {
        Gguf file = Gguf.open(path);
        return placed(backend, file::close, placement -> {
            DecoderConfig config = GgufDecoder.config(file);
            return new Contents(config, GgufDecoder.names(config.architecture()).read(path, file.weights(), config, placement));
        });
    }

    private record Contents(DecoderConfig config, DecoderWeights weights) {
    }

    /** Reads what is open; closes it with the result, or at once if there is none. */
    private static DecoderFile placed(Backend backend, Runnable closeFile, Function<Placement, Contents> read) {
        Placement placement = backend.placement();
        Runnable release = () -> {
            placement.close();
            closeFile.run();
        };
        try {
            Contents contents = read.apply(placement);
            return new DecoderFile(contents.config(), contents.weights(), release);
        } catch (RuntimeException e) {
            release.run();
            throw e;
        }
    }

    @Override
    public void close() {
        release.run();
    }
}
