package dev.t2l.bench;

import dev.t2l.Adaptation;
import dev.t2l.Adapter;
import dev.t2l.Completion;
import dev.t2l.LanguageModel;
import dev.t2l.Request;
import dev.t2l.Sampling;
import dev.t2l.model.DecoderConfig;
import dev.t2l.model.KvCache;
import dev.t2l.tensor.Projection;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Steps of decoding, greedy, as a caller of the library sees them: a sample is the time from one token to the next.
 *
 * @param batch  sequences side by side
 * @param lora   their adapters, dealt to them in turn
 * @param prompt tokens before the first step
 * @param tokens of a sequence; then new ones begin
 */
public record DecodeCase(WeightFormat format, int batch, Lora lora, int prompt, int tokens) implements Case {
    /** @param adapters distinct ones; 0 for none */
    public record Lora(int adapters, int rank, List<Projection> targets) {
    }

    /** @throws IllegalArgumentException if a number makes no sense */
    public DecodeCase {
        Numbers.positive("batch", batch);
        Numbers.positive("prompt", prompt);
        Numbers.atLeast("tokens", tokens, 2);
        Numbers.atLeast("adapters", lora.adapters(), 0);
        Numbers.positive("rank", lora.rank());
        if (lora.adapters() > batch) {
            throw new IllegalArgumentException("a batch of " + batch + " has no use for " + lora.adapters() + " adapters; HINT: --batch " + lora.adapters());
        }
    }

    @Override
    public Figure run(Workbench bench) {
        RandomDecoder model = bench.decoder(format);
        List<Adapter> adapters = new ArrayList<>();
        try {
            for (int i = 0; i < lora.adapters(); i++) {
                adapters.add(model.adapter(lora.rank(), lora.targets()));
            }
            List<String> prompts = new ArrayList<>();
            for (int i = 0; i < batch; i++) {
                prompts.add(bench.prompt(prompt));
            }
            Samples samples = bench.stopwatch().collect(() -> steps(model.model(), prompts, adapters));
            return Figure.of("decode", bench.shapes().decoder(), format.label(), settings(), samples, batch, "tokens/s", work(model), bench.roofline());
        } finally {
            adapters.forEach(Adapter::close);
        }
    }

    private double[] steps(LanguageModel model, List<String> prompts, List<Adapter> adapters) {
        long[] at = new long[tokens];
        int[] seen = {0};
        List<Request> requests = new ArrayList<>();
        for (int i = 0; i < batch; i++) {
            Adaptation adaptation = adapters.isEmpty() ? Adaptation.none() : adapters.get(i % adapters.size());
            Request request = Request.raw(prompts.get(i), adaptation, Sampling.greedy().withMaxTokens(tokens));
            requests.add(i > 0 ? request : request.withSink(_ -> at[seen[0]++] = System.nanoTime()));
        }
        Completion first = model.generate(requests).getFirst();
        if (seen[0] < tokens) { // a token without text was among them
            return new double[] {first.decodeNanos() * 1e-6 / (tokens - 1)};
        }
        double[] millis = new double[tokens - 1];
        for (int i = 0; i < millis.length; i++) {
            millis[i] = (at[i + 1] - at[i]) * 1e-6;
        }
        return millis;
    }

    private Map<String, Object> settings() {
        Map<String, Object> settings = Figure.settings("batch", batch, "adapters", lora.adapters(), "prompt", prompt, "tokens", tokens);
        if (lora.adapters() > 0) {
            settings.put("rank", lora.rank());
            settings.put("targets", lora.targets().stream().map(Numbers::letter).toList());
        }
        return settings;
    }

    /** Of a step in the middle: the weights, each adapter, and every sequence's keys and values read once. */
    private Work work(RandomDecoder model) {
        DecoderConfig c = model.decoder().config();
        int positions = prompt + tokens / 2;
        long adapter = lora.targets().stream().mapToLong(p -> 4L * lora.rank() * (c.in(p) + c.out(p)) * c.layers()).sum();
        long cache = batch * KvCache.table(c, 1, positions).bytes();
        double products = 2.0 * batch * (model.layerElements() + (double) c.vocabulary() * c.hidden());
        double attention = 4.0 * batch * positions * c.queryWidth() * c.layers();
        return new Work(model.stepBytes() + lora.adapters() * adapter + cache, products + attention);
    }
}
