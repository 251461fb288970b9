package dev.t2l.io;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Quantise;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A LoRA adapter as PEFT keeps it: a folder with {@code adapter_config.json} and {@code adapter_model.safetensors} (or, read only,
 * {@code adapter_model.bin}). Tensors are named {@code base_model.model.model.layers.<l>.self_attn.q_proj.lora_A.weight} ([r, in]) and
 * {@code ...lora_B.weight} ([out, r]).
 *
 * @param weights f32, in memory of their own, each pair with the scale that PEFT gives it
 */
public record PeftAdapter(PeftConfig config, LoraWeights weights) {
    /** The weights' file in the folder. */
    public static final String FILE = "adapter_model.safetensors";
    private static final String OLD_FILE = "adapter_model.bin";
    private static final String PREFIX = "base_model.model.";
    private static final Pattern NAME = Pattern.compile("base_model\\.model\\.(model\\.layers\\.(\\d{1,6})\\.(\\w+\\.(\\w+)))\\.lora_([AB])(?:\\.default)?\\.weight");
    private static final Set<DType> READABLE = Set.of(DType.F32, DType.F16, DType.BF16, DType.F64);
    private static final Set<DType> WRITABLE = Set.of(DType.F32, DType.F16, DType.BF16);

    /** The name of a site's module in the base model: {@code model.layers.0.self_attn.q_proj}. */
    public static String module(Site site) {
        return "model." + site;
    }

    /**
     * Reads an adapter.
     *
     * @throws FormatException if something is broken, missing, not a number, not targeted by the configuration or not supported:
     *     nothing in the folder is left out silently
     */
    public static PeftAdapter read(Path folder) {
        PeftConfig config = PeftConfig.read(folder.resolve(PeftConfig.FILE));
        Path file = folder.resolve(FILE);
        if (!Files.exists(file) && Files.exists(folder.resolve(OLD_FILE))) {
            try (var archive = TorchArchive.open(folder.resolve(OLD_FILE))) {
                return new Reader(folder.resolve(OLD_FILE), config).read(archive.weights());
            }
        }
        try (var tensors = SafeTensors.open(file)) {
            return new Reader(file, config).read(tensors.weights());
        }
    }

    /**
     * Writes an adapter that PEFT loads with the same scales.
     *
     * @param config its scaling must give every pair its rank and scale; see {@link PeftConfigs#describing}
     * @param dtype  of the matrices: F32, F16 or BF16
     * @throws IllegalArgumentException if config and weights do not agree
     */
    public static void write(Path folder, LoraWeights weights, PeftConfig config, DType dtype) {
        if (!WRITABLE.contains(dtype)) {
            throw new IllegalArgumentException("adapters are written as " + WRITABLE + ", not " + dtype);
        }
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        weights.pairs().forEach((site, pair) -> {
            checkAgrees(config, site, pair);
            tensors.put(PREFIX + module(site) + ".lora_A.weight", converted(pair.a(), dtype));
            tensors.put(PREFIX + module(site) + ".lora_B.weight", converted(pair.b(), dtype));
        });
        SafeTensors.write(folder.resolve(FILE), tensors, Map.of("format", "pt"));
        config.write(folder.resolve(PeftConfig.FILE));
    }

    /** Writes an f32 adapter with a configuration made from its own ranks and scales, as rsLoRA where that fits. */
    public static void write(Path folder, LoraWeights weights, String baseModel) {
        write(folder, weights, PeftConfigs.describing(weights, baseModel, true), DType.F32);
    }

    private static Tensor converted(Tensor tensor, DType dtype) {
        return dtype == DType.F32 ? tensor : Quantise.tensor(tensor, dtype);
    }

    private static void checkAgrees(PeftConfig config, Site site, Pair pair) {
        String module = module(site);
        PeftScaling scaling = config.scaling();
        if (!config.targets().matches(module) || scaling.rankOf(module) != pair.rank() || scaling.scaleOf(module) != pair.scale()) {
            throw new IllegalArgumentException(module + " has rank " + pair.rank() + " and scale " + pair.scale() + ", the configuration says "
                    + (config.targets().matches(module) ? "rank " + scaling.rankOf(module) + " and scale " + scaling.scaleOf(module) : "it is no target"));
        }
    }

    private static final class Reader {
        private final Path file;
        private final PeftConfig config;
        private final Map<Site, Tensor> a = new TreeMap<>();
        private final Map<Site, Tensor> b = new TreeMap<>();

        Reader(Path file, PeftConfig config) {
            this.file = file;
            this.config = config;
        }

        PeftAdapter read(Weights tensors) {
            tensors.tensors().forEach(this::add);
            Map<Site, Pair> pairs = new TreeMap<>();
            a.forEach((site, one) -> pairs.put(site, pair(site, one, b.get(site))));
            b.keySet().stream().filter(site -> !a.containsKey(site)).findFirst().ifPresent(site -> {
                throw new FormatException(file, module(site), "has lora_B but no lora_A");
            });
            if (pairs.isEmpty()) {
                throw new FormatException(file, "tensors", "there is no LoRA pair at all");
            }
            return new PeftAdapter(config, new LoraWeights(pairs));
        }

        private void add(String name, Tensor tensor) {
            Matcher parts = NAME.matcher(name);
            if (!parts.matches()) {
                throw problem(name, "is none of the LoRA matrices that are supported (" + PREFIX + "model.layers.<l>.<projection>.lora_A|B.weight)");
            }
            var projection = Projection.byPeftName(parts.group(4)).filter(p -> p.path().equals(parts.group(3)))
                    .orElseThrow(() -> problem(name, "'" + parts.group(3) + "' is no projection that a LoRA can act on here"));
            if (!matchesTargets(parts.group(1))) {
                throw problem(name, "target_modules of " + PeftConfig.FILE + " does not name its module " + parts.group(1));
            }
            var site = new Site(Integer.parseInt(parts.group(2)), projection);
            if ((parts.group(5).equals("A") ? a : b).put(site, floats(name, tensor)) != null) {
                throw problem(name, "the matrix is there twice, with and without '.default'");
            }
        }

        private boolean matchesTargets(String module) {
            try {
                return config.targets().matches(module);
            } catch (IllegalArgumentException e) {
                throw new FormatException(file.resolveSibling(PeftConfig.FILE), "target_modules", e.getMessage(), e);
            }
        }

        private Tensor floats(String name, Tensor tensor) {
            if (!READABLE.contains(tensor.dtype()) || tensor.rank() != 2 || tensor.elements() == 0) {
                throw problem(name, "wanted a matrix of floats, found " + tensor);
            }
            float[] values = tensor.toFloats();
            for (int i = 0; i < values.length; i++) {
                if (!Float.isFinite(values[i])) {
                    throw problem(name, "value " + i + " is " + values[i]);
                }
            }
            return Tensor.ofFloats(values, tensor.shape());
        }

        private Pair pair(Site site, Tensor one, Tensor other) {
            String module = module(site);
            if (other == null) {
                throw new FormatException(file, module, "has lora_A but no lora_B");
            }
            int rank = scaled(module, config.scaling()::rankOf);
            if (one.dim(0) != rank || other.dim(1) != rank) {
                throw new FormatException(file, module, "lora_A is " + one + " and lora_B " + other + ", the configuration says rank " + rank);
            }
            return new Pair(one, other, scaled(module, config.scaling()::scaleOf));
        }

        private <T> T scaled(String module, Function<String, T> value) {
            try {
                return value.apply(module);
            } catch (IllegalArgumentException e) {
                throw new FormatException(file.resolveSibling(PeftConfig.FILE), "rank_pattern or alpha_pattern", e.getMessage(), e);
            }
        }

        private FormatException problem(String name, String cause) {
            return new FormatException(file, "tensor '" + name + "'", cause);
        }
    }
}
