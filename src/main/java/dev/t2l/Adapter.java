package dev.t2l;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Gate;
import dev.t2l.backend.Placement;
import dev.t2l.io.AtomicFile;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.PeftConfig;
import dev.t2l.io.PeftConfigs;
import dev.t2l.model.DecoderConfig;
import dev.t2l.model.GgufAdapters;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A LoRA adapter, ready to be an argument of requests.
 *
 * <p>Immutable and thread-safe. {@link #close} lets running requests end, then frees the matrices; a second close is harmless.
 */
public final class Adapter extends Adaptation implements AutoCloseable {
    /** A text file beside a saved adapter with the sentence that it was generated from. */
    static final String DESCRIPTION_FILE = "task_description.txt";

    private final LoraWeights weights;
    private final PeftConfig config;
    private final Optional<String> description;
    private final Gate gate = new Gate("the adapter");
    private final Optional<Backend> home;
    private final Runnable release;

    /**
     * @param home    the backend whose memory the matrices are in; empty if they are on the host
     * @param release frees the matrices
     */
    Adapter(LoraWeights weights, PeftConfig config, Optional<String> description, Optional<Backend> home, Runnable release) {
        this.weights = weights;
        this.home = home;
        this.config = config;
        this.description = description;
        this.release = release;
    }

    /**
     * Reads a PEFT folder.
     *
     * @throws dev.t2l.io.FormatException if a file breaks its format or asks for what is not supported
     */
    public static Adapter load(Path folder) {
        PeftAdapter file = PeftAdapter.read(folder);
        Path sentence = folder.resolve(DESCRIPTION_FILE);
        try {
            Optional<String> text = Files.isRegularFile(sentence) ? Optional.of(Files.readString(sentence).strip()) : Optional.empty();
            return new Adapter(file.weights(), file.config(), text, Optional.empty(), () -> { });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads a PEFT folder, or a GGUF LoRA file of a base model with this shape. */
    static Adapter load(Path path, DecoderConfig base) {
        if (Files.isDirectory(path)) {
            return load(path);
        }
        LoraWeights weights = GgufAdapters.read(path, base);
        return new Adapter(weights, PeftConfigs.describing(weights, null, false), Optional.empty(), Optional.empty(), () -> { });
    }

    /**
     * An adapter of these matrices, which are copied to a backend whose memory is elsewhere. On the host they are borrowed: keep them
     * until this is closed.
     *
     * @param weights on the host
     */
    public static Adapter of(LoraWeights weights, Backend backend) {
        Placement placement = backend.placement();
        try {
            LoraWeights placed = weights.moved(placement::place);
            return new Adapter(placed, PeftConfigs.describing(weights, null, false), Optional.empty(), Optional.of(backend), placement::close);
        } catch (RuntimeException e) {
            placement.close();
            throw e;
        }
    }

    /** Writes a PEFT folder in f32: adapter_config.json, adapter_model.safetensors, and the description if there is one. */
    public void save(Path folder) {
        save(folder, DType.F32);
    }

    /**
     * Writes a PEFT folder, with the matrices in another type.
     *
     * @param dtype F32, F16 or BF16
     */
    public void save(Path folder, DType dtype) {
        gate.enter();
        try (Arena arena = Arena.ofShared()) {
            Files.createDirectories(folder);
            PeftAdapter.write(folder, onHost(arena), config, dtype);
            if (description.isPresent()) {
                AtomicFile.write(folder.resolve(DESCRIPTION_FILE), (description.get() + "\n").getBytes(StandardCharsets.UTF_8));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            gate.leave();
        }
    }

    /**
     * Writes the GGUF LoRA file that llama.cpp loads beside a base model.
     *
     * @param base  shape of the model that the adapter is for
     * @param dtype F32, F16 or BF16
     */
    public void saveGguf(Path file, DecoderConfig base, DType dtype) {
        gate.enter();
        try (Arena arena = Arena.ofShared()) {
            GgufAdapters.write(file, onHost(arena), base, description.orElse("adapter"), dtype);
        } finally {
            gate.leave();
        }
    }

    /** The matrices, in the memory of the backend that generated them; borrowed, valid until this is closed. */
    public LoraWeights weights() {
        return weights;
    }

    /** The matrices where the host can read them: {@link #weights()} if they are there, else copies in {@code arena}. */
    public LoraWeights onHost(Arena arena) {
        return home.map(backend -> weights.moved(matrix -> backend.host(arena, matrix))).orElse(weights);
    }

    /** The sentence that it was generated from. */
    public Optional<String> description() {
        return description;
    }

    /** Rank, alpha, targets, and the model that it was made for. */
    public PeftConfig config() {
        return config;
    }

    @Override
    List<AdapterMix.Part> parts() {
        return List.of(new AdapterMix.Part(this, 1));
    }

    Gate gate() {
        return gate;
    }

    @Override
    public void close() {
        gate.close(release);
    }
}
