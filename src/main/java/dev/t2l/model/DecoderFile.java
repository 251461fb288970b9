package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.Weights;
import java.nio.file.Path;

/** A decoder on disk, opened: its configuration and its mapped weights. Closing it ends the mapping. */
public record DecoderFile(DecoderConfig config, DecoderWeights weights, Runnable release) implements AutoCloseable {

    /** Only the configuration: weights are not read. */
    public static DecoderConfig config(Path path) {
        return HfDecoder.config(path.resolve("config.json"));
    }

    /**
     * Opens a Hugging Face folder (config.json, model.safetensors or shards with an index) or a GGUF file.
     *
     * @throws dev.t2l.io.FormatException if a file breaks its format
     * @throws IllegalArgumentException if a tensor is missing, misshapen or unknown
     */
    public static DecoderFile open(Path path, Backend backend) {
        DecoderConfig config = config(path);
        SafeTensors file = SafeTensors.open(path);
        try {
            Weights tensors = file.weights();
            return new DecoderFile(config, HfDecoder.names(config.architecture()).read(path.toString(), tensors, config, backend::place), file::close);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    @Override
    public void close() {
        release.run();
    }
}
