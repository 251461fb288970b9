package dev.t2l.bench;

import dev.t2l.Adaptation;
import dev.t2l.Request;
import dev.t2l.Sampling;
import dev.t2l.model.DecoderConfig;
import dev.t2l.model.KvCache;
import java.util.List;
import java.util.stream.Stream;

/**
 * Prompts read from scratch up to their first tokens, the memory of the request included.
 *
 * @param batch  prompts side by side
 * @param tokens of each
 */
public record PrefillCase(WeightFormat format, int batch, int tokens) implements Case {
    /** @throws IllegalArgumentException if a number makes no sense */
    public PrefillCase {
        Numbers.positive("batch", batch);
        Numbers.positive("tokens", tokens);
    }

    @Override
    public Figure run(Workbench bench) {
        RandomDecoder model = bench.decoder(format);
        Samples samples = bench.stopwatch().collect(() -> {
            List<Request> requests = Stream.generate(() -> Request.raw(bench.prompt(tokens), Adaptation.none(), Sampling.greedy().withMaxTokens(1))).limit(batch).toList();
            return new double[] {model.model().generate(requests).getFirst().prefillNanos() * 1e-6};
        });
        return Figure.of("prefill", bench.shapes().decoder(), format.label(), Figure.settings("batch", batch, "tokens", tokens), samples, (double) batch * tokens, "tokens/s",
                work(model), bench.roofline());
    }

    /** Weights read and keys and values written once; products of all rows, attention of each to those before it, logits of the last. */
    private Work work(RandomDecoder model) {
        DecoderConfig c = model.decoder().config();
        double products = 2.0 * batch * ((double) tokens * model.layerElements() + (double) c.vocabulary() * c.hidden());
        double attention = 2.0 * batch * tokens * (tokens + 1.0) * c.queryWidth() * c.layers();
        return new Work(model.stepBytes() + batch * KvCache.table(c, 1, tokens).bytes(), products + attention);
    }
}
