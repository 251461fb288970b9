package dev.t2l.eval;

import dev.t2l.LanguageModel;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Lane;
import dev.t2l.eval.AdapterSource.Loaded;
import dev.t2l.model.ContinuousGenerator;
import dev.t2l.model.DecodeSessions;
import dev.t2l.model.KvCache;
import dev.t2l.tensor.PowerOfTwo;
import dev.t2l.text.Tokenizer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * Asks a base model questions, many at once, each with its adapter, greedily; as one is answered, another takes its place. What is answered does not
 * depend on the questions beside it.
 */
final class Answerer implements AutoCloseable {
    private static final int LAUNCHED = 8;    // sequences at once where each step is launched for its rows
    private static final int REPLAYED = 128;  // and where a step's cost hardly grows with them
    private static final int REFILL = 4;      // one part in so many of the places has to be free before questions are read

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

    /**
     * Answers all questions, those of about the same length together.
     *
     * @param given takes the answers as they come
     */
    void answer(Collection<Question> questions, AdapterPool adapters, Consumer<Map<Question, Answer>> given) {
        Map<Integer, List<Question>> byCapacity = questions.stream().collect(Collectors.groupingBy(question -> capacity(question.positions()), TreeMap::new, Collectors.toList()));
        byCapacity.forEach((capacity, alike) -> {
            List<Question> longestFirst = new ArrayList<>(alike); // so that no long answer is left for the end; otherwise tasks stay together
            longestFirst.sort(Comparator.comparingInt(Question::limit).reversed());
            try (Lane _ = base.backend().lane(); var batch = new Batch(slots(alike.size(), capacity), capacity)) {
                batch.run(new ArrayDeque<>(longestFirst), adapters, given);
            }
        });
    }

    private int capacity(int positions) {
        return Math.min(PowerOfTwo.atLeast(positions), base.config().contextLength());
    }

    /** As many as a cache of half the memory that a model may keep can hold. */
    private int slots(int questions, int capacity) {
        int slots = Math.min(most, questions);
        while (slots > 1 && !fits(slots, capacity)) {
            slots--;
        }
        return slots;
    }

    private boolean fits(int sequences, int capacity) {
        Backend backend = base.backend();
        int slots = backend.replays() ? PowerOfTwo.atLeast(sequences) : sequences;
        return KvCache.table(base.config(), slots, capacity).bytes() <= backend.idleBytes() / 2;
    }

    /** Questions that are being answered, a place each. */
    private final class Batch implements AutoCloseable {
        private final ContinuousGenerator generator;
        private final Question[] asked;
        private final int[][] said;
        private final int[] count;
        private final Map<Question, Answer> answered = new LinkedHashMap<>();

        Batch(int places, int capacity) {
            generator = new ContinuousGenerator(sessions, places, capacity);
            asked = new Question[places];
            said = new int[places][];
            count = new int[places];
        }

        void run(Deque<Question> waiting, AdapterPool adapters, Consumer<Map<Question, Answer>> given) {
            do {
                int free = generator.free();
                if (!waiting.isEmpty() && free * REFILL >= asked.length) {
                    tell(adapters, given);
                    enter(waiting, free, adapters);
                }
                for (int place = 0; place < asked.length; place++) {
                    if (generator.running(place)) {
                        take(place);
                    }
                }
            } while (generator.step() || !waiting.isEmpty());
            tell(adapters, given);
        }

        private void enter(Deque<Question> waiting, int free, AdapterPool adapters) {
            List<Question> next = new ArrayList<>();
            while (next.size() < free && !waiting.isEmpty()) {
                next.add(waiting.remove());
            }
            List<Loaded> loaded = adapters.get(next);
            List<ContinuousGenerator.Entrant> entrants = new ArrayList<>();
            for (int i = 0; i < next.size(); i++) {
                entrants.add(new ContinuousGenerator.Entrant(next.get(i).ids(), loaded.get(i).entries(), next.get(i).limit(), next.get(i).options()));
            }
            int[] places = generator.enter(entrants);
            for (int i = 0; i < places.length; i++) {
                asked[places[i]] = next.get(i);
                said[places[i]] = new int[next.get(i).limit()];
                count[places[i]] = 0;
            }
        }

        private void take(int place) {
            int token = generator.take(place);
            boolean end = ends.contains(token);
            if (end) {
                generator.stop(place);
            } else {
                said[place][count[place]++] = token;
            }
            if (!generator.running(place)) {
                int[] ids = Arrays.copyOf(said[place], count[place]);
                answered.put(asked[place], new Answer(tokenizer.decode(ids, true), count[place], end, means(asked[place].options(), generator.likelihoods(place))));
            }
        }

        private static List<Double> means(List<int[]> options, double[] sums) {
            List<Double> means = new ArrayList<>();
            for (int i = 0; i < sums.length; i++) {
                means.add(sums[i] / options.get(i).length);
            }
            return means;
        }

        private void tell(AdapterPool adapters, Consumer<Map<Question, Answer>> given) {
            if (!answered.isEmpty()) {
                adapters.done(answered.keySet());
                given.accept(new LinkedHashMap<>(answered));
                answered.clear();
            }
        }

        @Override
        public void close() {
            generator.close();
        }
    }

    @Override
    public void close() {
        sessions.close();
    }
}
