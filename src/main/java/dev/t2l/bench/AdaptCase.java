package dev.t2l.bench;

import dev.t2l.Adapter;
import dev.t2l.TextToLora;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Text to adapters in the backend's memory: tokenisation, encoder, hypernetwork.
 *
 * @param descriptions in one call, new ones for each
 * @param tokens       of each, special ones included
 */
public record AdaptCase(int descriptions, int tokens) implements Case {
    /** @throws IllegalArgumentException if a number makes no sense */
    public AdaptCase {
        Numbers.positive("descriptions", descriptions);
        Numbers.atLeast("tokens", tokens, 3);
    }

    @Override
    public Figure run(Workbench bench) {
        TextToLora t2l = bench.textToLora();
        Work work = bench.encoderWork(descriptions, tokens).plus(bench.hyperWork(descriptions));
        Runnable evict = bench.cold(work.bytes());
        List<Adapter> adapters = new ArrayList<>();
        Samples samples = bench.stopwatch().time(() -> {
            adapters.forEach(Adapter::close);
            adapters.clear();
            List<String> texts = Stream.generate(() -> bench.description(tokens)).limit(descriptions).toList();
            evict.run();
            return () -> {
                adapters.addAll(t2l.generate(texts));
                bench.backend().await();
            };
        });
        adapters.forEach(Adapter::close);
        return Figure.of("adapt", bench.shapes().encoder().name() + " + " + HyperShape.name(bench.shapes().variant()), bench.t2lWeights(),
                Figure.settings("descriptions", descriptions, "tokens", tokens, "base", bench.shapes().decoder()), samples, descriptions, "adapters/s", work, bench.roofline());
    }
}
