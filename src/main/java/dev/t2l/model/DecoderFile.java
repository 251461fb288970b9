package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Placement;
import dev.t2l.io.Gguf;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.DType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Supplier;

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
        return open(path, backend::placement);
    }

    /**
     * The same with every matrix converted to one type as it is read; norms, biases and rotary frequencies stay as they are.
     *
     * @param matrices F32, F16 or BF16, rounded to nearest even
     * @throws IllegalArgumentException if it is another
     */
    public static DecoderFile open(Path path, Backend backend, DType matrices) {
        return open(path, () -> new ConvertedMatrices(backend.placement(), matrices));
    }

    private static DecoderFile open(Path path, Supplier<Placement> placement) {
        return Files.isDirectory(path) ? folder(path, placement) : gguf(path, placement);
    }

    private static DecoderFile folder(Path path, Supplier<Placement> where) {
        DecoderConfig config = config(path);
        SafeTensors file = SafeTensors.open(path);
        return Placed.model(where, file::close, (placement, release) ->
                new DecoderFile(config, HfDecoder.names(config.architecture()).read(path, file.weights(), config, placement), release));
    }

    private static DecoderFile gguf(Path path, Supplier<Placement> where) {
        Gguf file = Gguf.open(path);
        return Placed.model(where, file::close, (placement, release) -> {
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
