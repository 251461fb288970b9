package dev.t2l.hyper;

import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperParameters.Parameter;
import dev.t2l.io.FormatException;
import dev.t2l.io.SafeTensors;
import dev.t2l.io.TorchArchive;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Quantise;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A hypernetwork's tensors on disk, {@code hypermod.pt}, {@code hypermod.safetensors} or {@code hypermod.gguf}, and what their names and shapes tell.
 *
 * @param statedOrder the modules in the order of their heads, if the file tells: the pickled order of a hypermod.pt, the
 *     metadata of a safetensors file (whose header other tools sort)
 */
record HyperTensorFile(Path file, Weights weights, Optional<List<String>> statedOrder) {
    static final String TORCH = "hypermod.pt";
    static final String SAFETENSORS = "hypermod.safetensors";
    static final String GGUF = "hypermod.gguf";
    /** Metadata of our safetensors files: the heads' modules in the order of the type embedding, with commas between. */
    static final String ORDER = "heads";
    private static final String HEAD = "heads.";
    private static final String WEIGHT = ".weight";

    /** The checkpoint in a folder, which must hold exactly one. */
    static Path in(Path folder) {
        List<Path> found = all(folder);
        if (found.size() != 1) {
            throw new FormatException(folder, "folder", found.isEmpty() ? "wanted " + TORCH + ", " + SAFETENSORS + " or " + GGUF + ", found none"
                    : "holds both " + found.get(0).getFileName() + " and " + found.get(1).getFileName() + "; HINT: give the path of the one to load");
        }
        return found.getFirst();
    }

    /** The checkpoints in a folder. */
    static List<Path> all(Path folder) {
        return Stream.of(TORCH, SAFETENSORS, GGUF).map(folder::resolve).filter(Files::exists).toList();
    }

    /** Opens a safetensors or GGUF file, or else what torch.save wrote. */
    static HyperTensorFile open(Path file) {
        if (file.getFileName().toString().endsWith(".safetensors")) {
            SafeTensors tensors = SafeTensors.open(file);
            return new HyperTensorFile(file, tensors.weights(), Optional.ofNullable(tensors.metadata().get(ORDER)).map(o -> List.of(o.split(","))));
        }
        if (file.getFileName().toString().endsWith(".gguf")) {
            return HyperGguf.read(file);
        }
        Weights weights = TorchArchive.open(file).weights();
        List<String> pickled = weights.tensors().keySet().stream().map(HyperTensorFile::moduleOfHead).flatMap(Optional::stream).toList();
        return new HyperTensorFile(file, weights, Optional.of(pickled));
    }

    /** The module {@code m} of a tensor {@code heads.m.weight}. */
    private static Optional<String> moduleOfHead(String tensor) {
        boolean head = tensor.startsWith(HEAD) && tensor.endsWith(WEIGHT) && tensor.length() > HEAD.length() + WEIGHT.length();
        return head ? Optional.of(tensor.substring(HEAD.length(), tensor.length() - WEIGHT.length())) : Optional.empty();
    }

    /** @param dtype F32, F16 or BF16 of a safetensors file, Q8_0 of a GGUF file; null keeps each tensor's own, in a safetensors file */
    static void write(Path folder, Weights weights, HyperConfig config, DType dtype) {
        List<String> order = config.targets().stream().map(t -> t.projection().peftName()).toList();
        Path file = folder.resolve(dtype == DType.Q8_0 ? GGUF : SAFETENSORS);
        List<Path> others = all(folder).stream().filter(path -> !path.equals(file)).toList();
        if (!others.isEmpty()) {
            throw new IllegalArgumentException(folder + " holds a " + others.getFirst().getFileName() + "; HINT: save to a folder of its own");
        }
        if (dtype == DType.Q8_0) {
            HyperGguf.write(file, weights, order);
            return;
        }
        Map<String, Tensor> tensors = new LinkedHashMap<>(weights.tensors());
        if (dtype != null) {
            tensors.replaceAll((_, tensor) -> tensor.dtype() == dtype ? tensor : Quantise.tensor(tensor, dtype));
        }
        SafeTensors.write(file, tensors, Map.of("format", "pt", ORDER, String.join(",", order)));
    }

    /**
     * The modules in the order of their rows in the type embedding.
     *
     * @param chosen an order to take instead of the file's
     * @throws FormatException if a head is of no known module, or the file's order is not known
     */
    List<Projection> rows(Optional<List<Projection>> chosen) {
        Map<String, Projection> heads = heads();
        if (chosen.isPresent()) {
            List<Projection> order = chosen.get();
            if (order.size() != heads.size() || !heads.values().containsAll(order) || !order.containsAll(heads.values())) {
                throw new IllegalArgumentException("the row order must name each of " + heads.keySet() + " once, is " + order);
            }
            return List.copyOf(order);
        }
        if (statedOrder.isEmpty() && heads.size() > 1) {
            throw new FormatException(file, "metadata '" + ORDER + "'", "wanted the modules " + heads.keySet()
                    + " in the order of the type embedding, found nothing; HINT: give the order, which is that of the heads in the hypermod.pt");
        }
        List<String> order = statedOrder.orElse(List.copyOf(heads.keySet()));
        if (order.size() != heads.size() || !heads.keySet().containsAll(order) || !order.containsAll(heads.keySet())) {
            throw new FormatException(file, "metadata '" + ORDER + "'", "wanted " + heads.keySet() + " in the order of the type embedding, found " + order);
        }
        return order.stream().map(heads::get).toList();
    }

    /** The modules with a head, by name, in the order of the file. */
    private Map<String, Projection> heads() {
        Map<String, Projection> heads = new LinkedHashMap<>();
        for (String name : weights.tensors().keySet()) {
            moduleOfHead(name).ifPresent(module -> heads.put(module, Projection.byPeftName(module).orElseThrow(() -> problem(name,
                    "a head of one of " + Arrays.stream(Projection.values()).map(Projection::peftName).toList(), "'" + module + "'"))));
        }
        if (heads.isEmpty()) {
            throw problem("heads.*.weight", "one for each target module", "none");
        }
        return heads;
    }

    /** A module's features, from its offsets; a head has a bias if the file has it. */
    Target target(Projection module) {
        long in = ofRank("AB_offset.A." + module.peftName(), 3).dim(2);
        long out = ofRank("AB_offset.B." + module.peftName(), 3).dim(1);
        return new Target(module, Math.toIntExact(in), Math.toIntExact(out), weights.has("heads." + module.peftName() + ".bias"));
    }

    int embedding() {
        return Math.toIntExact(ofRank("task_encoder.mlp.0.weight", 2).dim(1));
    }

    int layers() {
        return Math.toIntExact(ofRank("layer_depth_encoder.0.weight", 2).dim(0));
    }

    private Tensor ofRank(String name, int rank) {
        if (!weights.has(name)) {
            throw problem(name, "a tensor with " + rank + " dimensions", "none of that name");
        }
        Tensor tensor = weights.get(name);
        if (tensor.rank() != rank) {
            throw problem(name, rank + " dimensions", tensor.toString());
        }
        return tensor;
    }

    /** Refuses a tensor too many, too few, or of another shape or type than {@code config} says. */
    void check(HyperConfig config) {
        Map<String, Parameter> wanted = HyperParameters.of(config).all();
        for (String name : weights.tensors().keySet()) {
            if (!wanted.containsKey(name)) {
                throw problem(name, "no such tensor in variant " + config.variant() + " (" + flags(config) + ")", weights.get(name).toString());
            }
        }
        for (Parameter p : wanted.values()) {
            if (!weights.has(p.name())) {
                throw problem(p.name(), p.shape() + " in variant " + config.variant() + " (" + flags(config) + ")", "none of that name");
            }
            if (!p.fits(weights.get(p.name()))) {
                throw problem(p.name(), "F32, F16 or BF16 of shape " + p.shape(), weights.get(p.name()).toString());
            }
        }
    }

    private static String flags(HyperConfig config) {
        var arch = config.architecture();
        return "args.yaml: shared_AB_head " + arch.sharedAbHead() + ", autoreg_gen " + arch.autoregGen() + ", learnable_pos_emb " + arch.learnablePosEmb();
    }

    private FormatException problem(String tensor, String wanted, String found) {
        return new FormatException(file, "tensor '" + tensor + "'", "wanted " + wanted + ", found " + found);
    }
}
