package dev.t2l.bench;

import dev.t2l.hyper.GeneratedLora;
import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** Task embeddings to adapters in the backend's memory. */
public record HypernetworkCase(int descriptions) implements Case {
    /** @throws IllegalArgumentException if there is no description */
    public HypernetworkCase {
        Numbers.positive("descriptions", descriptions);
    }

    @Override
    public Figure run(Workbench bench) {
        RandomHypernetwork model = bench.hypernetwork();
        Tensor embeddings = model.embeddings(descriptions);
        Work work = bench.hyperWork(descriptions);
        Runnable evict = bench.cold(work.bytes());
        List<GeneratedLora> adapters = new ArrayList<>();
        Samples samples = bench.stopwatch().time(() -> {
            adapters.forEach(GeneratedLora::close);
            adapters.clear();
            evict.run();
            return () -> {
                adapters.addAll(model.network().generate(embeddings));
                bench.backend().await();
            };
        });
        adapters.forEach(GeneratedLora::close);
        return Figure.of("hypernetwork", HyperShape.name(bench.shapes().variant()), bench.t2lWeights(), Figure.settings("descriptions", descriptions, "base", bench.shapes().decoder()),
                samples, descriptions, "adapters/s", work, bench.roofline());
    }
}
