package dev.t2l.train;

import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.Projection;
import dev.t2l.train.PromptFormat.Tokens;
import java.util.Arrays;
import java.util.List;

/**
 * Operations of a frozen base's products and attention in a step, forward and backward, without those of adapters: a frozen weight meets a
 * row once forwards and its gradient once backwards; attention has twice as many products backwards.
 */
record BaseWork(double linear, double logits, double attention) {

    static BaseWork of(DecoderConfig base) {
        double weights = Arrays.stream(Projection.values()).mapToDouble(p -> (double) base.in(p) * base.out(p)).sum() * base.layers();
        return new BaseWork(4 * weights, 4.0 * base.vocabulary() * base.hidden(), 6.0 * base.queryWidth() * base.layers());
    }

    double flops(List<Tokens> samples) {
        return samples.stream().mapToDouble(s -> linear * s.ids().length + logits * s.response() + attention * s.ids().length * s.ids().length).sum();
    }
}
