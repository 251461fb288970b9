package dev.t2l.hyper;

import dev.t2l.backend.Activation;
import dev.t2l.backend.AffineNorm;
import dev.t2l.backend.Backend;
import dev.t2l.backend.FeedForward;
import dev.t2l.backend.Product;
import dev.t2l.backend.TaskEncoder;
import dev.t2l.hyper.HyperActivations.Block;
import dev.t2l.ops.Activate;
import dev.t2l.ops.Add;
import dev.t2l.ops.HyperBody;
import dev.t2l.ops.LayerNorm;
import dev.t2l.ops.Linear;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * Blocks {@code silu(down(silu(up(x))))} of a hypernetwork's body, one after the other. Where what is inside them is kept for the backward pass,
 * each is done step by step, with dropout; else as many as follow each other are one call.
 */
final class HyperBlocks {
    private final Backend backend;
    private final Weights weights;
    private final HyperActivations acts;
    private final HyperDropout dropout;
    private final List<FeedForward> waiting = new ArrayList<>();
    private TaskEncoder task;
    private Tensor start;
    private Tensor x;

    HyperBlocks(Backend backend, Weights weights, HyperActivations acts, HyperDropout dropout) {
        this.backend = backend;
        this.weights = weights;
        this.acts = acts;
        this.dropout = dropout;
    }

    /** What the first block takes, and who writes its first columns, or null. */
    HyperBlocks from(Tensor rows, TaskEncoder encoder) {
        start = rows;
        x = rows;
        task = encoder;
        if (acts.kept() && encoder != null) {
            HyperBody.forward(backend, rows, encoder, List.of());
        }
        return this;
    }

    /** The first block: no norm, no residual, dropout of what it takes. */
    HyperBlocks mixer() {
        Block block = acts.block("mixer");
        if (acts.kept()) {
            dropout.input(backend, x, x, block);
        }
        return next(block, "mixer", null, false, dropout);
    }

    /** {@code x +} block of {@code LayerNorm(x)}. */
    HyperBlocks residual(String activation, String name) {
        Block block = acts.block(activation);
        return next(block, name, norm(name), true, dropout);
    }

    /** Block of {@code LayerNorm(x)}, which enters the heads: no dropout of what it gives. */
    HyperBlocks last(String name) {
        Block block = acts.block(name);
        return next(block, name, norm(name), false, dropout.within());
    }

    /** What the last block gives. */
    Tensor end() {
        if (!waiting.isEmpty()) {
            HyperBody.forward(backend, start, task, List.copyOf(waiting));
            waiting.clear();
        }
        return x;
    }

    private AffineNorm norm(String name) {
        return new AffineNorm(weights.get(name + ".0.weight"), weights.get(name + ".0.bias"), HyperForward.NORM_EPS);
    }

    private HyperBlocks next(Block block, String name, AffineNorm norm, boolean residual, HyperDropout dropped) {
        if (acts.kept()) {
            steps(block, name, norm, residual, dropped);
        } else {
            waiting.add(new FeedForward(norm, block.norm(), product(block.act(), name + ".1"), product(block.out(), name + ".4"), residual));
        }
        x = block.out();
        return this;
    }

    private Product product(Tensor y, String name) {
        return new Product(y, weights.get(name + ".weight"), weights.get(name + ".bias"), null);
    }

    /** Dropout after either silu. */
    private void steps(Block block, String name, AffineNorm norm, boolean residual, HyperDropout dropped) {
        Tensor in = x;
        if (norm != null) {
            in = block.norm();
            LayerNorm.forward(backend, in, x, norm.weight(), norm.bias(), norm.eps());
        }
        linear(block.up(), in, name + ".1");
        Activate.forward(backend, block.act(), block.up(), Activation.SILU);
        dropped.inside(backend, block.act(), block.act(), block);
        linear(block.down(), block.act(), name + ".4");
        Activate.forward(backend, block.out(), block.down(), Activation.SILU);
        dropped.output(backend, block.out(), block.out(), block);
        if (residual) {
            Add.forward(backend, block.out(), x, 1);
        }
    }

    private void linear(Tensor y, Tensor in, String name) {
        Linear.forward(backend, y, in, weights.get(name + ".weight"), weights.get(name + ".bias"));
    }
}
