package dev.t2l.model;

import dev.t2l.io.FormatException;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * What a file format calls a decoder's tensors, and the strict reading by these names: a missing, misshapen or unknown tensor
 * is refused.
 *
 * @param layer             prefix of a layer, with %d
 * @param projection        path of a projection below a layer, without .weight
 * @param attentionPostNorm null where the architecture has none; so is mlpPostNorm
 * @param ignored           tensors that files carry and nobody needs
 */
record DecoderNames(String embedding, String finalNorm, String output, String layer, Function<Projection, String> projection,
        String attentionNorm, String mlpNorm, String attentionPostNorm, String mlpPostNorm, String queryNorm, String keyNorm,
        Predicate<String> ignored) {

    /**
     * @param source the file, for messages
     * @param place  makes a tensor usable by the backend
     * @throws FormatException naming the tensor
     */
    DecoderWeights read(Path source, Weights file, DecoderConfig config, UnaryOperator<Tensor> place) {
        return new Reading(source, file, config, place).all();
    }

    private final class Reading {
        private final Path source;
        private final Weights file;
        private final DecoderConfig config;
        private final UnaryOperator<Tensor> place;
        private final Set<String> used = new HashSet<>();

        Reading(Path source, Weights file, DecoderConfig config, UnaryOperator<Tensor> place) {
            this.source = source;
            this.file = file;
            this.config = config;
            this.place = place;
        }

        DecoderWeights all() {
            Tensor table = tensor(embedding, config.vocabulary(), config.hidden());
            var layers = new ArrayList<DecoderWeights.Layer>();
            for (int l = 0; l < config.layers(); l++) {
                layers.add(layer(String.format(Locale.ROOT, layer, l)));
            }
            Tensor norm = tensor(finalNorm, config.hidden());
            Tensor head = config.tied() ? table : tensor(output, config.vocabulary(), config.hidden());
            List<String> unknown = file.tensors().keySet().stream().filter(name -> !used.contains(name) && !ignored.test(name)).toList();
            if (!unknown.isEmpty()) {
                throw new FormatException(source, "tensor '" + unknown.getFirst() + "'", "a " + config.architecture()
                        + " decoder has no such tensor (" + unknown.size() + " like it)");
            }
            return new DecoderWeights(table, List.copyOf(layers), norm, head);
        }

        private DecoderWeights.Layer layer(String prefix) {
            Map<Projection, DecoderWeights.Dense> projections = new EnumMap<>(Projection.class);
            for (Projection p : Projection.values()) {
                String path = prefix + projection.apply(p);
                Tensor weight = tensor(path + ".weight", config.out(p), config.in(p));
                projections.put(p, new DecoderWeights.Dense(weight, optional(path + ".bias", config.out(p))));
            }
            int headDim = config.attention().spec().headDim();
            boolean headNorms = config.architecture().equals("qwen3");
            return new DecoderWeights.Layer(projections, tensor(prefix + attentionNorm + ".weight", config.hidden()),
                    headNorms ? tensor(prefix + queryNorm + ".weight", headDim) : null,
                    headNorms ? tensor(prefix + keyNorm + ".weight", headDim) : null,
                    attentionPostNorm == null ? null : tensor(prefix + attentionPostNorm + ".weight", config.hidden()),
                    tensor(prefix + mlpNorm + ".weight", config.hidden()),
                    mlpPostNorm == null ? null : tensor(prefix + mlpPostNorm + ".weight", config.hidden()));
        }

        private Tensor optional(String name, long... shape) {
            return file.has(name) ? tensor(name, shape) : null;
        }

        private Tensor tensor(String name, long... shape) {
            Tensor found = file.tensors().get(name);
            if (found == null) {
                throw new FormatException(source, "tensor '" + name + "'", "is missing");
            }
            if (!Arrays.equals(found.shape(), shape)) {
                throw new FormatException(source, "tensor '" + name + "'", "wanted " + Arrays.toString(shape) + ", found " + found);
            }
            if (!found.dtype().quantised() && found.dtype() != DType.F32 && found.dtype() != DType.F16 && found.dtype() != DType.BF16
                    && found.dtype() != DType.F64) {
                throw new FormatException(source, "tensor '" + name + "'", "wanted F32, F16, BF16, F64 or GGUF blocks, found " + found.dtype());
            }
            used.add(name);
            return place.apply(found);
        }
    }
}
