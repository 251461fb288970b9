package dev.t2l.model;

import dev.t2l.backend.Placement;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/**
 * What a file format calls a decoder's tensors, and the reading by these names (see {@link ModelTensors}).
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
     * A decoder's weights.
     *
     * @param path of the file or folder, for messages
     * @throws dev.t2l.io.FormatException naming the tensor
     */
    DecoderWeights read(Path path, Weights file, DecoderConfig config, Placement placement) {
        return read(new ModelTensors(path, file.tensors(), new ModelTensors.Names() {
            @Override
            public String inFile(String name) {
                return name;
            }

            @Override
            public boolean ignored(String inFile) {
                return ignored.test(inFile);
            }
        }, placement), config);
    }

    /** The weights by these names, from a file or from where they are made. */
    DecoderWeights read(ModelTensors tensors, DecoderConfig config) {
        Tensor table = tensors.matrix(embedding, config.vocabulary(), config.hidden());
        List<DecoderWeights.Layer> layers = IntStream.range(0, config.layers())
                .mapToObj(l -> layer(tensors, String.format(Locale.ROOT, layer, l), config)).toList();
        Tensor norm = tensors.vector(finalNorm, config.hidden());
        Tensor head = config.tied() ? table : tensors.matrix(output, config.vocabulary(), config.hidden());
        tensors.finish();
        return new DecoderWeights(table, layers, norm, head, tensors.computed(config.rope().invFreq()));
    }

    private DecoderWeights.Layer layer(ModelTensors tensors, String prefix, DecoderConfig config) {
        Map<Projection, Affine> projections = new EnumMap<>(Projection.class);
        for (Projection p : Projection.values()) {
            String path = prefix + projection.apply(p);
            Tensor weight = tensors.matrix(path + ".weight", config.out(p), config.in(p));
            projections.put(p, new Affine(weight, tensors.has(path + ".bias") ? tensors.vector(path + ".bias", config.out(p)) : null));
        }
        int headDim = config.attention().spec().headDim();
        boolean headNorms = config.architecture().equals("qwen3");
        return new DecoderWeights.Layer(projections, norm(tensors, prefix, attentionNorm, config.hidden()),
                headNorms ? norm(tensors, prefix, queryNorm, headDim) : null, headNorms ? norm(tensors, prefix, keyNorm, headDim) : null,
                norm(tensors, prefix, attentionPostNorm, config.hidden()), norm(tensors, prefix, mlpNorm, config.hidden()),
                norm(tensors, prefix, mlpPostNorm, config.hidden()));
    }

    private static Tensor norm(ModelTensors tensors, String prefix, String name, int d) {
        return name == null ? null : tensors.vector(prefix + name + ".weight", d);
    }
}
