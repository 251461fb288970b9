package dev.t2l.hyper;

import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperConfig.Architecture;
import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.hyper.HyperConfig.Origin;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperConfig.Training;
import dev.t2l.hyper.HyperConfig.TrainingTask;
import dev.t2l.hyper.HyperParameters.Parameter;
import dev.t2l.io.FormatException;
import dev.t2l.io.PeftConfig;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A trained hypernetwork on disk, as published: a folder with {@code hypermod.pt} (or {@code hypermod.safetensors}, or {@code hypermod.gguf}),
 * {@code args.yaml} and {@code adapter_config.json}. The tensors stay mapped until this is closed.
 *
 * <p>Rows of the type embedding belong to the modules in the order of the {@code heads.*} keys in the tensor file, whatever the
 * lists in the two configuration files say. The {@code encoder_type} of args.yaml is ignored: the published code never used it.
 */
public final class HyperCheckpoint implements AutoCloseable {
    private static final Set<DType> SAVED = EnumSet.of(DType.F32, DType.F16, DType.BF16, DType.Q8_0);

    private final HyperConfig config;
    private final Weights weights;
    private final HyperArgs args;
    private final AdapterSettings settings;

    private HyperCheckpoint(HyperConfig config, Weights weights, HyperArgs args, AdapterSettings settings) {
        this.config = config;
        this.weights = weights;
        this.args = args;
        this.settings = settings;
    }

    /**
     * Loads a checkpoint.
     *
     * @param path the folder, or the tensor file in it
     * @throws FormatException if a file breaks its format, or has a tensor too many, too few or of another shape than its
     *     configuration says
     * @throws java.io.UncheckedIOException if a file is missing or cannot be read
     */
    public static HyperCheckpoint load(Path path) {
        return load(path, Optional.empty());
    }

    /**
     * Loads a checkpoint whose type-embedding rows are known to be in another order than its heads.
     *
     * @param rowOrder the target modules, row by row
     * @throws IllegalArgumentException if it does not name each module with a head once
     */
    public static HyperCheckpoint load(Path path, List<Projection> rowOrder) {
        return load(path, Optional.of(rowOrder));
    }

    private static HyperCheckpoint load(Path path, Optional<List<Projection>> rowOrder) {
        Path file = Files.isDirectory(path) ? HyperTensorFile.in(path) : path;
        HyperArgs args = HyperArgs.read(file.resolveSibling("args.yaml"));
        AdapterSettings settings = AdapterSettings.read(file.resolveSibling("adapter_config.json"));
        HyperTensorFile tensors = HyperTensorFile.open(file);
        try {
            HyperConfig config = config(tensors, args, settings, rowOrder);
            tensors.check(config);
            return new HyperCheckpoint(config, tensors.weights(), args, settings);
        } catch (RuntimeException | Error e) {
            tensors.weights().close();
            throw e;
        }
    }

    private static HyperConfig config(HyperTensorFile tensors, HyperArgs args, AdapterSettings settings, Optional<List<Projection>> rowOrder) {
        List<Projection> rows = tensors.rows(rowOrder);
        settings.checkTargets(rows, tensors.layers());
        List<Target> targets = rows.stream().map(tensors::target).toList();
        try {
            var architecture = new Architecture(args.flag("shared_AB_head"), args.flag("autoreg_gen"), args.flag("learnable_pos_emb"),
                    args.integer("hypernet_latent_size", 128), args.integer("head_in_size", 512), tensors.embedding());
            return new HyperConfig(architecture, settings.shape(tensors.layers()), targets, training(args), origin(args, settings));
        } catch (IllegalArgumentException e) {
            throw new FormatException(tensors.file().toAbsolutePath().getParent(), "args.yaml or adapter_config.json", e.getMessage(), e);
        }
    }

    private static Training training(HyperArgs args) {
        TrainingTask task = switch (args.text("training_task").orElse("sft")) {
            case "sft" -> TrainingTask.SFT;
            case "recon" -> TrainingTask.RECON;
            case String other -> throw args.problem("training_task", "sft or recon", other);
        };
        return new Training(task, args.flag("pred_z_score"), args.flag("factorized"), args.number("delta_w_scaling", 10_000));
    }

    private static Origin origin(HyperArgs args, AdapterSettings settings) {
        String base = Optional.ofNullable(settings.peft().baseModel()).or(() -> args.text("model_dir")).orElse("");
        return new Origin(args.text("emb_model"), base, args.texts("train_ds_names"), condition(args));
    }

    private static Condition condition(HyperArgs args) {
        boolean oneHot = args.flag("use_one_hot_task_emb");
        boolean input = args.flag("use_inp_as_desc");
        if (oneHot && input) {
            throw args.problem("use_inp_as_desc", "false beside use_one_hot_task_emb", true);
        }
        return oneHot ? Condition.ONE_HOT : input ? Condition.INPUT : Condition.DESCRIPTION;
    }

    /**
     * A network that was made or trained here, to be saved as a checkpoint.
     *
     * @param weights   the tensors of {@link HyperParameters}, on the host; closing this closes them
     * @param adapter   of the adapters it generates; its rank, alpha and targets must be the network's
     * @param arguments further keys of args.yaml: how it was trained, in plain data (texts, numbers, booleans, lists and maps of them)
     * @throws IllegalArgumentException if something does not fit the configuration
     */
    public static HyperCheckpoint of(HyperConfig config, Weights weights, PeftConfig adapter, Map<String, Object> arguments) {
        for (Parameter p : HyperParameters.of(config).all().values()) {
            if (!p.fits(weights.get(p.name()))) {
                throw new IllegalArgumentException("tensor '" + p.name() + "': wanted " + p.shape() + ", found " + weights.get(p.name()));
            }
        }
        AdapterSettings settings = AdapterSettings.of(adapter);
        settings.checkTargets(config.targets().stream().map(Target::projection).toList(), config.lora().layers());
        if (!settings.shape(config.lora().layers()).equals(config.lora())) {
            throw new IllegalArgumentException("the adapters' configuration says " + settings.shape(config.lora().layers()) + ", the network " + config.lora());
        }
        return new HyperCheckpoint(config, weights, HyperArgs.of(config, arguments), settings);
    }

    public HyperConfig config() {
        return config;
    }

    /** PEFT's configuration of the adapters that the network generates. */
    public PeftConfig adapterConfig() {
        return settings.peft();
    }

    /** All tensors by their published names, in the order of the file; owned by this. */
    public Weights weights() {
        return weights;
    }

    /** Number of trainable values. */
    public long parameters() {
        return HyperParameters.of(config).trainableCount();
    }

    /** The network on a backend; to be closed before this. */
    public Hypernetwork network(Backend backend) {
        return new Hypernetwork(config, weights, backend);
    }

    /** The evaluation descriptions among its training arguments ({@code eval_ds_info}), by task; those that are text. */
    public Map<String, List<String>> evalDescriptions() {
        Map<String, List<String>> found = new LinkedHashMap<>();
        if (args.values().get("eval_ds_info") instanceof Map<?, ?> tasks) {
            tasks.forEach((task, of) -> {
                if (of instanceof Map<?, ?> info && info.get("descriptions") instanceof List<?> texts) {
                    found.put(String.valueOf(task), texts.stream().filter(String.class::isInstance).map(String.class::cast).toList());
                }
            });
        }
        return found;
    }

    /**
     * Writes {@code hypermod.safetensors}, {@code args.yaml} and {@code adapter_config.json}, each as a whole; loading the folder
     * gives the same network, bit for bit.
     *
     * @throws IllegalArgumentException if the folder has a checkpoint of another form already
     */
    public void save(Path folder) {
        save(folder, null);
    }

    /**
     * As {@link #save(Path)}, in another type.
     *
     * @param dtype F32, F16 or BF16, in {@code hypermod.safetensors}; or Q8_0, in {@code hypermod.gguf}, where that is the type of the
     *     large matrices, and tensors of one value alone take no space; null keeps the types
     */
    public void save(Path folder, DType dtype) {
        if (dtype != null && !SAVED.contains(dtype)) {
            throw new IllegalArgumentException("a hypernetwork is written as one of " + SAVED + ", not as " + dtype);
        }
        HyperTensorFile.write(folder, weights, config, dtype);
        args.write(folder.resolve("args.yaml"));
        settings.write(folder.resolve("adapter_config.json"));
    }

    /** What {@code t2l inspect} prints: names and values in order. */
    public Map<String, Object> describe() {
        var about = new LinkedHashMap<String, Object>();
        about.put("variant", config.variant().name());
        about.put("latent size", config.architecture().latent());
        about.put("head input size", config.architecture().headIn());
        about.put("embedding width", config.architecture().embedding());
        about.put("reads", switch (config.origin().condition()) {
            case DESCRIPTION -> "descriptions of tasks";
            case INPUT -> "inputs: an adapter for each";
            case ONE_HOT -> "numbers of training tasks";
        });
        about.put("text encoder", config.origin().embModel().orElse("the base model"));
        about.put("base model", config.origin().baseModel());
        about.put("layers", config.lora().layers());
        about.put("rank", config.lora().rank());
        about.put("scale", config.lora().scale());
        about.put("targets in row order", config.targets().stream()
                .map(t -> t.projection().peftName() + " " + t.in() + " -> " + t.out() + (t.headBias() ? "" : " (head without bias)")).toList());
        about.put("trained by", config.training().task().name().toLowerCase(Locale.ROOT));
        about.put("output", config.training().output().name().toLowerCase(Locale.ROOT));
        about.put("training tasks", config.origin().trainTasks().size());
        about.put("trainable parameters", parameters());
        about.put("tensors", weights.tensors().size());
        about.put("MiB", Math.round(weights.bytes() / 1048576.0 * 1000) / 1000.0);
        return about;
    }

    @Override
    public void close() {
        weights.close();
    }
}
