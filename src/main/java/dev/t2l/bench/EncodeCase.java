package dev.t2l.bench;

import dev.t2l.TextEncoder;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;

/**
 * Descriptions to task embeddings, tokenisation included.
 *
 * @param tokens of each, special ones included
 */
public record EncodeCase(int descriptions, int tokens) implements Case {
    /** @throws IllegalArgumentException if a number makes no sense */
    public EncodeCase {
        Numbers.positive("descriptions", descriptions);
        Numbers.atLeast("tokens", tokens, 3);
    }

    @Override
    public Figure run(Workbench bench) {
        TextEncoder encoder = bench.encoder().encoder();
        Work work = bench.encoderWork(descriptions, tokens);
        try (Memory memory = bench.backend().allocate(4L * descriptions * encoder.width())) {
            Tensor out = Tensor.of(DType.F32, memory.segment(), descriptions, encoder.width());
            List<String> texts = Stream.generate(() -> bench.description(tokens)).limit(descriptions).toList();
            Runnable evict = bench.cold(work.bytes());
            Samples samples = bench.stopwatch().time(() -> {
                evict.run();
                return () -> {
                    encoder.taskEmbeddings(texts, out);
                    bench.backend().await();
                };
            });
            return Figure.of("encode", bench.shapes().encoder().name(), bench.t2lWeights(), Figure.settings("descriptions", descriptions, "tokens", tokens), samples, descriptions, "texts/s", work, bench.roofline());
        }
    }
}
