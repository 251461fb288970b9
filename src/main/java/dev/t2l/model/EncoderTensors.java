package dev.t2l.model;

import dev.t2l.backend.Backend;
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
 * The tensors of an encoder's file by their Hugging Face names, with or without the prefix that models with a head have.
 * What is taken is checked and placed on the backend; {@link #finish} refuses a file that holds more of the encoder than was taken.
 */
final class EncoderTensors {
    private static final Set<DType> PLAIN = EnumSet.of(DType.F32, DType.F16, DType.BF16, DType.F64);
    private static final String WORDS = "embeddings.word_embeddings.weight";
    /** Buffers that old files store; what they hold is computed. */
    private static final List<String> BUFFERS = List.of("embeddings.position_ids", "embeddings.token_type_ids", "embeddings.rotary_emb.");

    private final Path file;
    private final Map<String, Tensor> tensors;
    private final String prefix;
    private final Backend backend;
    private final Set<String> taken = new HashSet<>();

    /** @param optionalPrefix what may precede every name: {@code "bert."} */
    EncoderTensors(Path file, Map<String, Tensor> tensors, String optionalPrefix, Backend backend) {
        this.file = file;
        this.tensors = tensors;
        this.backend = backend;
        if (!tensors.containsKey(WORDS) && !tensors.containsKey(optionalPrefix + WORDS)) {
            throw new FormatException(file, "tensor '" + WORDS + "'", "is missing, with and without the prefix '" + optionalPrefix
                    + "'; the file starts with " + tensors.keySet().stream().limit(3).toList());
        }
        this.prefix = tensors.containsKey(WORDS) ? "" : optionalPrefix;
    }

    boolean has(String name) {
        return tensors.containsKey(prefix + name);
    }

    Tensor matrix(String name, long rows, long cols) {
        return take(name, rows, cols);
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
        Tensor tensor = tensors.get(prefix + name);
        String place = "tensor '" + prefix + name + "'";
        if (tensor == null) {
            throw new FormatException(file, place, "is missing; wanted " + Arrays.toString(shape));
        }
        if (!Arrays.equals(tensor.shape(), shape)) {
            throw new FormatException(file, place, "wanted " + Arrays.toString(shape) + " as the configuration says, found " + tensor);
        }
        if (!tensor.dtype().quantised() && !PLAIN.contains(tensor.dtype())) {
            throw new FormatException(file, place, "wanted one of " + PLAIN + " or a quantised type, found " + tensor);
        }
        taken.add(prefix + name);
        return backend.place(tensor);
    }

    /** @throws FormatException if a tensor of the encoder itself was not taken: it would have changed the result */
    void finish() {
        for (String name : tensors.keySet()) {
            String bare = name.startsWith(prefix) ? name.substring(prefix.length()) : "";
            boolean encoder = bare.startsWith("embeddings.") || bare.startsWith("encoder.");
            if (encoder && !taken.contains(name) && BUFFERS.stream().noneMatch(bare::startsWith)) {
                throw new FormatException(file, "tensor '" + name + "'", "the configuration has no use for " + tensors.get(name)
                        + "; the model is of another kind, or its config.json is not its own");
            }
        }
    }
}
