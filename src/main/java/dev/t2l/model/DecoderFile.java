package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.io.Gguf;
import dev.t2l.io.SafeTensors;
import java.nio.file.Files;
import java.nio.file.Path;

/** A decoder on disk, opened: its configuration and its mapped weights. Closing it ends the mapping. Or one whose weights were made. */
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
        return Placed.model(backend, file::close, (placement, release) ->
                new DecoderFile(config, HfDecoder.names(config.architecture()).read(path, file.weights(), config, placement), release));
    }

    private static DecoderFile gguf(Path path, Backend backend) {
        Gguf file = Gguf.open(path);
        return Placed.model(backend, file::close, (placement, release) -> {
            DecoderConfig config = GgufDecoder.config(file);
            return new DecoderFile(config, GgufDecoder.names(config.architecture()).read(path, file.weights(), config, placement), release);
        });
    }

    /** A decoder of weights that are made, not read; tensors are asked for by their Hugging Face names. */
    public static DecoderFile of(DecoderConfig config, TensorSource source, Backend backend) {
        return Placed.model(backend, () -> { }, (placement, release) ->
                new DecoderFile(config, HfDecoder.names(config.architecture()).read(ModelTensors.made(source, placement), config), release));
    }

    @Override
    public void close() {
        release.run();
    }
}
