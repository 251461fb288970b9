package dev.t2l.model;

import dev.t2l.backend.Placement;
import dev.t2l.io.FormatException;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The tensors of a model's file, asked for by name. What is taken is checked and placed; {@link #finish} refuses a
 * file that holds more of the model than was taken.
 */
final class ModelTensors {
    private static final Set<DType> PLAIN = EnumSet.of(DType.F32, DType.F16, DType.BF16, DType.F64);
    private static final String WORDS = "embeddings.word_embeddings.weight";
    /** Buffers that old files store; what they hold is computed. */
    private static final List<String> BUFFERS = List.of("embeddings.position_ids", "embeddings.token_type_ids", "embeddings.rotary_emb.");

    /** How a file names the tensors. */
    interface Names {
        /** The name in the file of a tensor. */
        String inFile(String name);

        /** Whether a tensor of the file is no part of the model: a head, a pooler, a buffer. */
        boolean ignored(String inFile);
    }

    private final Path file;
    private final Map<String, Tensor> tensors;
    private final Names names;
    private final Placement placement;
    private final TensorSource made;
    private final Set<String> taken = new HashSet<>();

    ModelTensors(Path file, Map<String, Tensor> tensors, Names names, Placement placement) {
        this(file, tensors, names, placement, null);
    }

    private ModelTensors(Path file, Map<String, Tensor> tensors, Names names, Placement placement, TensorSource made) {
        this.file = file;
        this.tensors = tensors;
        this.names = names;
        this.placement = placement;
        this.made = made;
    }

    /** Of no file: {@code source} makes each tensor when it is asked for. */
    static ModelTensors made(TensorSource source, Placement placement) {
        return new ModelTensors(null, Map.of(), null, placement, source);
    }

    /** Of an encoder's safetensors: names as they are, or all behind the prefix that models with a head have: {@code "bert."}. */
    static ModelTensors ofHuggingFace(Path file, Map<String, Tensor> tensors, String optionalPrefix, Placement placement) {
        String prefix = !tensors.containsKey(WORDS) && tensors.containsKey(optionalPrefix + WORDS) ? optionalPrefix : "";
        return new ModelTensors(file, tensors, new Names() {
            @Override
            public String inFile(String name) {
                return prefix + name;
            }

            @Override
            public boolean ignored(String inFile) {
                String name = inFile.startsWith(prefix) ? inFile.substring(prefix.length()) : "";
                return !name.startsWith("embeddings.") && !name.startsWith("encoder.") || BUFFERS.stream().anyMatch(name::startsWith);
            }
        }, placement);
    }

    boolean has(String name) {
        return made != null ? made.has(name) : tensors.containsKey(names.inFile(name));
    }

    Tensor matrix(String name, long rows, long cols) {
        return take(name, rows, cols);
    }

    /** A tensor that is computed, not read. */
    Tensor computed(float[] values) {
        return placement.place(Tensor.ofFloats(values, values.length));
    }

    Tensor vector(String name, long d) {
        return take(name, d);
    }

    /** A dense product: {@code name.weight} [out, in] and {@code name.bias} [out]. */
    Affine dense(String name, long out, long in) {
        return new Affine(take(name + ".weight", out, in), take(name + ".bias", out));
    }

    /** A layer norm: {@code name.weight} and {@code name.bias} [d], or gamma and beta as very old files call them. */
    Affine norm(String name, long d) {
        boolean old = !has(name + ".weight") && has(name + ".gamma");
        return new Affine(take(name + (old ? ".gamma" : ".weight"), d), take(name + (old ? ".beta" : ".bias"), d));
    }

    private Tensor take(String name, long... shape) {
        if (made != null) {
            return placement.place(made.tensor(name, shape));
        }
        String inFile = names.inFile(name);
        Tensor tensor = tensors.get(inFile);
        String place = "tensor '" + inFile + "'";
        if (tensor == null) {
            throw new FormatException(file, place, "is missing; wanted " + Arrays.toString(shape) + "; the file starts with "
                    + tensors.keySet().stream().limit(3).toList());
        }
        if (!Arrays.equals(tensor.shape(), shape)) {
            throw new FormatException(file, place, "wanted " + Arrays.toString(shape) + " as the configuration says, found " + tensor);
        }
        if (!tensor.dtype().quantised() && !PLAIN.contains(tensor.dtype())) {
            throw new FormatException(file, place, "wanted one of " + PLAIN + " or a quantised type, found " + tensor);
        }
        taken.add(inFile);
        return placement.place(tensor);
    }

    /** @throws FormatException if a tensor of the model itself was not taken: it would have changed the result */
    void finish() {
        for (String name : tensors.keySet()) {
            if (!taken.contains(name) && !names.ignored(name)) {
                throw new FormatException(file, "tensor '" + name + "'", "the configuration has no use for " + tensors.get(name)
                        + "; the model is of another kind, or the configuration is not its own");
            }
        }
    }
}
