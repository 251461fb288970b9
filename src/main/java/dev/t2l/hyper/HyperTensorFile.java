package dev.t2l.hyper;

import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperParameters.Parameter;
import dev.t2l.io.FormatException;
import dev.t2l.io.SafeTensors;
import dev.t2l.io.TorchArchive;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * A hypernetwork's tensors on disk, {@code hypermod.pt} or {@code hypermod.safetensors}, and what their names and shapes tell.
 *
 * @param statedOrder the modules in the order of their heads, if the file tells: the pickled order of a hypermod.pt, the
 *     metadata of a safetensors file (whose header other tools sort)
 */
record HyperTensorFile(Path file, Weights weights, Optional<List<String>> statedOrder) {
    static final String TORCH = "hypermod.pt";
    static final String SAFETENSORS = "hypermod.safetensors";
    /** Metadata of our safetensors files: the heads' modules in the order of the type embedding, with commas between. */
    static final String ORDER = "heads";
    private static final String HEAD = "heads.";
    private static final String WEIGHT = ".weight";

    /** The checkpoint in a folder, which must hold exactly one. */
    static Path in(Path folder) {
        List<Path> found = List.of(folder.resolve(TORCH), folder.resolve(SAFETENSORS)).stream().filter(Files::exists).toList();
        if (found.size() != 1) {
            throw new FormatException(folder, "folder", found.isEmpty() ? "wanted " + TORCH + " or " + SAFETENSORS + ", found neither"
                    : "holds both " + TORCH + " and " + SAFETENSORS + "; HINT: give the path of the one to load");
        }
        return found.getFirst();
    }

    /** Opens a safetensors file, or else what torch.save wrote. */
    static HyperTensorFile open(Path file) {
        if (file.getFileName().toString().endsWith(".safetensors")) {
            SafeTensors tensors = SafeTensors.open(file);
            return new HyperTensorFile(file, tensors.weights(), Optional.ofNullable(tensors.metadata().get(ORDER)).map(o -> List.of(o.split(","))));
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

    static void write(Path to, Weights weights, HyperConfig config) {
        String order = config.targets().stream().map(t -> t.projection().peftName()).collect(Collectors.joining(","));
        SafeTensors.write(to, weights.tensors(), Map.of("format", "pt", ORDER, order));
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
