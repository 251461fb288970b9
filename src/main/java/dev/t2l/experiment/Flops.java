package dev.t2l.experiment;

import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperConfig.Architecture;
import dev.t2l.hyper.HyperParameters;
import dev.t2l.hyper.HyperParameters.Parameter;
import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.Projection;
import java.util.Arrays;

/**
 * Floating-point operations of forward passes, from shapes alone, a multiplication and an addition being two: those of all products and of attention. Norms,
 * activation functions, rotations, softmax and look-ups are left out; they are far below a hundredth.
 */
final class Flops {
    private Flops() {
    }

    /**
     * Of tokens of one sequence through a decoder's layers, logits not counted: 2 for each weight, and in each layer 4 for each query feature and position
     * attended to.
     *
     * @param from  position of the first, whose predecessors' keys and values are kept
     * @param until position behind the last
     */
    static double tokens(DecoderConfig model, int from, int until) {
        double weights = (double) model.layers() * Arrays.stream(Projection.values()).mapToLong(p -> (long) model.in(p) * model.out(p)).sum();
        double attended = 0;
        for (int layer = 0; layer < model.layers(); layer++) {
            int window = model.attention().at(layer).window();
            for (int position = from; position < until; position++) {
                attended += window == 0 ? position + 1 : Math.min(position + 1, window);
            }
        }
        return 2 * weights * (until - from) + 4 * attended * model.queryWidth();
    }

    /** Of one token's logits. */
    static double logits(DecoderConfig model) {
        return 2.0 * model.vocabulary() * model.hidden();
    }

    /** Of what an adapter of a hypernetwork adds to one token. */
    static double adapter(HyperConfig network) {
        return 2.0 * network.lora().layers() * network.lora().rank() * network.targets().stream().mapToLong(t -> (long) t.in() + t.out()).sum();
    }

    /**
     * Of one adapter by a hypernetwork: each matrix of {@link HyperParameters} as often as it meets a row.
     */
    static double generation(HyperConfig network) {
        return HyperParameters.of(network).trainable().stream().filter(p -> p.shape().size() == 2).mapToDouble(p -> 2.0 * p.elements() * rows(network, p)).sum();
    }

    /** Sites are (module, layer); A and B are rows of their own where they share a head, ranks where they are generated one at a time. */
    private static long rows(HyperConfig network, Parameter matrix) {
        Architecture architecture = network.architecture();
        long sites = (long) network.targets().size() * network.lora().layers();
        long branches = sites * (architecture.sharedAbHead() ? 2 : 1);
        long headRows = branches * (architecture.autoregGen() ? network.lora().rank() : 1);
        return switch (matrix.name().substring(0, matrix.name().indexOf('.'))) {
            case "task_encoder" -> 1;
            case "mixer", "mlp1" -> sites;
            case "mlp2" -> (architecture.sharedAbHead() || !architecture.autoregGen() ? branches : 0)
                    + (!architecture.autoregGen() ? 0 : architecture.sharedAbHead() && architecture.learnablePosEmb() ? network.lora().rank() : headRows);
            case "mlp3" -> headRows;
            case "heads" -> headRows / network.targets().size();
            default -> 0; // looked up
        };
    }
}
