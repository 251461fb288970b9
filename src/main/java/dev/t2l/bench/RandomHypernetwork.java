package dev.t2l.bench;

import dev.t2l.TextEncoder;
import dev.t2l.TextToLora;
import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperParameters;
import dev.t2l.hyper.Hypernetwork;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** A hypernetwork with random weights: a checkpoint as published, in a temporary folder, so that it is opened as any other. */
public final class RandomHypernetwork implements AutoCloseable {
    private final Backend backend;
    private final HyperConfig config;
    private final RandomWeights random;
    private final RandomText.TemporaryFolder folder;
    private final HyperCheckpoint checkpoint;
    private final Hypernetwork network;

    /** @param type F32, F16 or BF16, of all matrices */
    public RandomHypernetwork(HyperConfig config, DType type, Backend backend) {
        this.backend = backend;
        this.config = config;
        random = new RandomWeights(backend);
        folder = checkpoint(type);
        checkpoint = HyperCheckpoint.load(folder.path());
        network = checkpoint.network(backend);
    }

    private RandomText.TemporaryFolder checkpoint(DType type) {
        try {
            var made = new RandomText.TemporaryFolder();
            try {
                write(made.path(), type);
            } catch (IOException | RuntimeException e) {
                made.close();
                throw e;
            }
            return made;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void write(Path to, DType type) throws IOException {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        try (Arena arena = Arena.ofConfined()) {
            HyperParameters.of(config).all().forEach((name, p) -> {
                long[] dims = p.shape().stream().mapToLong(Long::longValue).toArray();
                tensors.put(name, p.role() == HyperParameters.Role.TRAINABLE ? random.parameter(name, type, dims) : Tensor.allocate(arena, DType.F32, dims));
            });
            String order = config.targets().stream().map(t -> t.projection().peftName()).collect(Collectors.joining(","));
            SafeTensors.write(to.resolve("hypermod.safetensors"), tensors, Map.of("heads", order));
        }
        var a = config.architecture();
        Files.writeString(to.resolve("args.yaml"), """
                shared_AB_head: %s
                autoreg_gen: %s
                learnable_pos_emb: %s
                hypernet_latent_size: %d
                head_in_size: %d
                emb_model: random
                training_task: sft
                """.formatted(a.sharedAbHead(), a.autoregGen(), a.learnablePosEmb(), a.latent(), a.headIn()));
        String modules = config.targets().stream().map(t -> "\"" + t.projection().peftName() + "\"").collect(Collectors.joining(", "));
        Files.writeString(to.resolve("adapter_config.json"), """
                {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "%s", "r": %d, "lora_alpha": %d, "use_rslora": %s, "target_modules": [%s]}
                """.formatted(config.origin().baseModel(), config.lora().rank(), (int) config.lora().alpha(), config.lora().useRslora(), modules));
    }

    /** The hypernetwork's files, opened. */
    public HyperCheckpoint checkpoint() {
        return checkpoint;
    }

    public Hypernetwork network() {
        return network;
    }

    public HyperConfig config() {
        return config;
    }

    /** The whole way from text to adapters; the caller closes it, before this and before the encoder. */
    public TextToLora textToLora(TextEncoder encoder) {
        return TextToLora.load(folder.path(), Optional.empty(), backend, encoder);
    }

    /** Task embeddings as an encoder gives them, f32 [n, E], on the backend for as long as that lives. */
    public Tensor embeddings(int n) {
        return backend.place(random.gaussian(n, config.architecture().embedding()));
    }

    @Override
    public void close() {
        network.close();
        checkpoint.close();
        folder.close();
        random.close();
    }
}
