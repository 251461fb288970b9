package dev.t2l.hyper;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Noise;
import dev.t2l.hyper.HyperActivations.Block;
import dev.t2l.ops.Dropout;
import dev.t2l.tensor.Tensor;

/**
 * Dropout of one training pass: at the mixer's input, and in every block after either silu. Each place draws its own mask, from
 * {@link Noise#seed} of the pass's seed and {@code 3 * block + place}, so that the backward pass finds the same one.
 *
 * @param p       probability; 0 for none
 * @param outputs whether a block's output is dropped, too; mlp3's is not
 */
record HyperDropout(float p, long seed, boolean outputs) {
    static final HyperDropout NONE = new HyperDropout(0, 0, true);

    /** The same for a block whose output enters the heads. */
    HyperDropout within() {
        return new HyperDropout(p, seed, false);
    }

    /** Where x enters a block, or its gradient. Returns {@code to}, or x itself where nothing is dropped. */
    Tensor input(Backend backend, Tensor to, Tensor x, Block block) {
        return apply(backend, to, x, block, 0);
    }

    /** As {@link #input}, between a block's two products. */
    Tensor inside(Backend backend, Tensor to, Tensor x, Block block) {
        return apply(backend, to, x, block, 1);
    }

    /** As {@link #input}, where x leaves a block. */
    Tensor output(Backend backend, Tensor to, Tensor x, Block block) {
        return outputs ? apply(backend, to, x, block, 2) : x;
    }

    private Tensor apply(Backend backend, Tensor to, Tensor x, Block block, int place) {
        if (p == 0) {
            return x;
        }
        Dropout.forward(backend, to, x, p, Noise.seed(seed, 3L * block.number() + place));
        return to;
    }
}
