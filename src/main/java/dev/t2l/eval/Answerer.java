package dev.t2l.eval;

import dev.t2l.LanguageModel;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Lane;
import dev.t2l.eval.AdapterSource.Loaded;
import dev.t2l.model.DecodeSessions;
import dev.t2l.model.Generator;
import dev.t2l.model.KvCache;
import dev.t2l.model.Sampler;
import dev.t2l.tensor.PowerOfTwo;
import dev.t2l.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/** Asks a base model questions, many at once, each with its adapter, greedily. What is answered does not depend on the questions beside it. */
final class Answerer implements AutoCloseable {
    private static final int LAUNCHED = 8;    // sequences at once where each step is launched for its rows
    private static final int REPLAYED = 128;  // and where a step's cost hardly grows with them

    private final LanguageModel base;
    private final DecodeSessions sessions;
    private final Tokenizer tokenizer;
    private final Set<Integer> ends;
    private final int most;

    /** @param batch sequences at once at most; 0: what the backend likes */
    Answerer(LanguageModel base, int batch) {
        this.base = base;
        this.sessions = new DecodeSessions(base.decoder());
        this.tokenizer = base.tokenizer();
        this.ends = tokenizer.endOfGenerationIds();
        this.most = batch > 0 ? batch : base.backend().replays() ? REPLAYED : LAUNCHED;
    }

    /** Cuts questions into batches of about the same length, as many at once as a cache of half the memory that a model may keep can hold. */
    List<List<Question>> batches(List<Question> questions) {
        List<Question> sorted = new ArrayList<>(questions);
        sorted.sort(Comparator.comparingInt((Question q) -> capacity(q.positions())).thenComparingInt(Question::limit).thenComparingInt(Question::positions));
        List<List<Question>> batches = new ArrayList<>();
        for (int from = 0; from < sorted.size();) {
            int to = from + 1;
            while (to < sorted.size() && to - from < most && fits(to - from + 1, sorted.get(to).positions())) {
                to++;
            }
            batches.add(sorted.subList(from, to));
            from = to;
        }
        return batches;
    }

    private boolean fits(int sequences, int positions) {
        Backend backend = base.backend();
        int slots = backend.replays() ? PowerOfTwo.atLeast(sequences) : sequences;
        return KvCache.table(base.config(), slots, capacity(positions)).bytes() <= backend.idleBytes() / 2;
    }

    private int capacity(int positions) {
        return Math.min(PowerOfTwo.atLeast(positions), base.config().contextLength());
    }

    /** The answers of a batch. */
    List<Answer> answer(List<Question> batch, List<Loaded> adapters) {
        List<Generator.Sequence> sequences = IntStream.range(0, batch.size())
                .mapToObj(i -> new Generator.Sequence(batch.get(i).ids(), adapters.get(i).entries(), Sampler.greedy(), batch.get(i).limit())).toList();
        int[][] said = new int[batch.size()][];
        int[] count = new int[batch.size()];
        boolean[] ended = new boolean[batch.size()];
        for (int i = 0; i < said.length; i++) {
            said[i] = new int[batch.get(i).limit()];
        }
        try (Lane _ = base.backend().lane(); var generator = new Generator(sessions, sequences)) {
            generator.prefill(() -> false);
            do {
                for (int i = 0; i < said.length; i++) {
                    if (generator.running(i)) {
                        int token = generator.take(i);
                        if (ends.contains(token)) {
                            ended[i] = true;
                            generator.stop(i);
                        } else {
                            said[i][count[i]++] = token;
                        }
                    }
                }
            } while (generator.step());
        }
        return IntStream.range(0, said.length)
                .mapToObj(i -> new Answer(tokenizer.decode(Arrays.copyOf(said[i], count[i]), true), count[i], ended[i])).toList();
    }

    @Override
    public void close() {
        sessions.close();
    }
}
