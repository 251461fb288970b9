package dev.t2l.benchmarks;

import dev.t2l.Golden;
import dev.t2l.LanguageModel;
import dev.t2l.TextEncoder;
import dev.t2l.TextToLora;
import dev.t2l.backend.Backend;
import dev.t2l.backend.JavaBackend;
import dev.t2l.model.Decoder;
import dev.t2l.model.DecoderFile;
import dev.t2l.model.Generator;
import dev.t2l.model.Sampler;
import dev.t2l.model.Teacher;
import dev.t2l.ops.LoraBatch;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Models on disk that benchmarks take by the name of their shape: SmolLM2 with MiniLM and their hypernetwork, or a tiny golden case. */
final class BenchModel implements AutoCloseable {
    static final String TASK = "Answer the question with the name of the director of the film.";

    private final DecoderFile file;
    private final LanguageModel lm;
    private final TextEncoder encoder;
    final Path checkpoint;
    final Backend backend;
    final Decoder decoder;
    final TextToLora t2l;

    /**
     * @param shape {@code tiny} or {@code smollm2}
     * @param name  as for {@link Backend#open}, or {@code best}
     */
    BenchModel(String shape, String name) {
        boolean tiny = shape.equals("tiny");
        Path tinyCase = Path.of("src/test/golden/end_to_end/base_llm");
        checkpoint = tiny ? tinyCase : real(shape, "t2l-smollm2");
        Path base = tiny ? tinyCase.resolve("base") : real(shape, "SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
        backend = name.equals("best") ? Backend.best() : Backend.open(name);
        System.out.println("# Backend: " + backend.description());
        file = DecoderFile.open(base, backend);
        decoder = new Decoder(backend, file.config(), file.weights());
        lm = LanguageModel.load(base, backend);
        encoder = tiny ? null : TextEncoder.load(real(shape, "all-MiniLM-L6-v2"), backend);
        t2l = tiny ? TextToLora.load(checkpoint, lm) : TextToLora.load(checkpoint, lm, encoder);
    }

    private static Path real(String shape, String path) {
        Path found = Golden.models().resolve(path);
        if (!shape.equals("smollm2") || Files.notExists(found)) {
            throw new IllegalArgumentException("there are the shapes tiny and smollm2, and the latter needs " + found + "; got " + shape);
        }
        return found;
    }

    /** A greedy sequence that begins with token 1, then 2, ... */
    Generator.Sequence sequence(int prompt, int maxTokens, List<LoraBatch.Entry> adapters) {
        int vocabulary = decoder.config().vocabulary();
        return new Generator.Sequence(prompt(prompt), adapters, new Sampler(vocabulary, 0, 0, 1, 0, 0), maxTokens);
    }

    private int[] prompt(int length) {
        int[] ids = new int[length];
        for (int i = 0; i < length; i++) {
            ids[i] = 1 + i % (decoder.config().vocabulary() - 1);
        }
        return ids;
    }

    /** Fails unless plain Java computes nearly the same logits. */
    void check(List<LoraBatch.Entry> adapters) {
        try (var java = new JavaBackend(); DecoderFile same = DecoderFile.open(lm.path(), java); Arena arena = Arena.ofShared()) {
            List<LoraBatch.Entry> here = adapters.stream()
                    .map(e -> new LoraBatch.Entry(e.adapter().moved(matrix -> backend.host(arena, matrix)), e.weight())).toList();
            var oracle = new Decoder(java, same.config(), same.weights());
            Bench.check(Teacher.lastLogits(oracle, prompt(5), here), Teacher.lastLogits(decoder, prompt(5), adapters), 1e-3);
        }
    }

    @Override
    public void close() {
        t2l.close();
        if (encoder != null) {
            encoder.close();
        }
        lm.close();
        file.close();
        backend.close();
    }
}
