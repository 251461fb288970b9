package dev.t2l.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.EachBackend;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.backend.ReplayingBackend;
import dev.t2l.model.ContinuousGenerator.Entrant;
import dev.t2l.ops.LoraBatch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Who comes and goes, and what is shared, shows in no bit. */
class ContinuousGeneratorTest {
    private static final int POSITIONS = 64;

    static List<String> backends() {
        return EachBackend.available();
    }

    /** @param tokens said */
    private record Outcome(List<Integer> tokens, List<Double> likelihoods) {
    }

    /** All sequences, in order, in so many slots; newcomers enter when {@code patience} slots are free. */
    private static List<Outcome> run(DecodeSessions sessions, List<Entrant> entrants, int slots, int patience) {
        List<Outcome> outcomes = entrants.stream().map(_ -> new Outcome(new ArrayList<>(), new ArrayList<>())).toList();
        int[] who = new int[slots];
        int next = 0;
        try (var generator = new ContinuousGenerator(sessions, slots, POSITIONS)) {
            do {
                int count = Math.min(generator.free(), entrants.size() - next);
                if (generator.free() >= patience && count > 0) {
                    int[] into = generator.enter(entrants.subList(next, next + count));
                    for (int slot : into) {
                        who[slot] = next++;
                        Arrays.stream(generator.likelihoods(slot)).forEach(outcomes.get(who[slot]).likelihoods()::add);
                    }
                }
                for (int s = 0; s < slots; s++) {
                    if (generator.running(s)) {
                        outcomes.get(who[s]).tokens().add(generator.take(s));
                    }
                }
            } while (generator.step() || next < entrants.size());
        }
        return outcomes;
    }

    /** Prompts of three families of beginnings, two adapters and none, answers of 1 to 9 tokens. */
    private static List<Entrant> entrants(DecoderConfig config, int count) {
        var random = new SplittableRandom(4);
        int[][] beginnings = IntStream.range(0, 3).mapToObj(i -> random.ints(4 + 11 * i, 0, config.vocabulary()).toArray()).toArray(int[][]::new);
        List<List<LoraBatch.Entry>> adapters = List.of(List.of(), entry(config, 1, 3), entry(config, 2, 8));
        List<Entrant> entrants = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int[] own = random.ints(random.nextInt(0, 9), 0, config.vocabulary()).toArray();
            int[] prompt = IntStream.concat(Arrays.stream(beginnings[i / 4 % 3]), Arrays.stream(own)).toArray();
            List<int[]> options = IntStream.range(0, i % 3 == 0 ? 0 : i % 5).mapToObj(_ -> random.ints(random.nextInt(1, 5), 0, config.vocabulary()).toArray()).toList();
            entrants.add(new Entrant(prompt, adapters.get(i / 6 % 3), random.nextInt(1, 10), options));
        }
        return entrants;
    }

    private static List<LoraBatch.Entry> entry(DecoderConfig config, long seed, int rank) {
        return List.of(new LoraBatch.Entry(Tiny.adapter(config, rank, seed).weights(), LoraBatch.Weight.constant(1)));
    }

    @ParameterizedTest
    @MethodSource("backends")
    void neighboursAndSharedBeginningsShowInNothing(String name) {
        try (Backend backend = Backend.open(name)) {
            for (Path folder : List.of(Tiny.BASE, Tiny.GEMMA)) {
                try (DecoderFile file = DecoderFile.open(folder, backend); var sessions = new DecodeSessions(new Decoder(backend, file.config(), file.weights()))) {
                    List<Entrant> entrants = entrants(file.config(), 36);
                    List<Outcome> alone = entrants.stream().map(one -> run(sessions, List.of(one), 1, 1).getFirst()).toList();
                    assertEquals(alone, run(sessions, entrants, 1, 1));
                    assertEquals(alone, run(sessions, entrants, 7, 2));
                    assertEquals(alone, run(sessions, entrants, 36, 9));
                    assertTrue(alone.stream().distinct().count() > 30, "adapters and prompts make a difference");
                    for (int i = 0; i < entrants.size(); i++) {
                        assertEquals(said(sessions, entrants.get(i)), alone.get(i).tokens(), "what a request would be told");
                    }
                }
            }
        }
    }

    /** Where steps are recorded for powers of two, rows of those who have ended stay until the next size, and answers do not show it. */
    @Test
    void idleRowsShowInNothing() {
        try (Backend java = Backend.open("java"); DecoderFile file = DecoderFile.open(Tiny.BASE, java)) {
            List<Entrant> entrants = entrants(file.config(), 36);
            List<Outcome> plain = new ArrayList<>();
            try (var sessions = new DecodeSessions(new Decoder(java, file.config(), file.weights()))) {
                entrants.forEach(one -> plain.add(run(sessions, List.of(one), 1, 1).getFirst()));
            }
            Backend replaying = new ReplayingBackend(java).backend();
            try (var sessions = new DecodeSessions(new Decoder(replaying, file.config(), file.weights()))) {
                for (int slots : new int[] {1, 5, 16, 36}) {
                    assertEquals(plain, run(sessions, entrants, slots, Math.max(1, slots / 4)), slots + " slots");
                }
            }
        }
    }

    @Test
    void afterAFailureItIsClosedAndItsSessionGone() {
        var replaying = new ReplayingBackend(Backend.open("java"));
        try (DecoderFile file = DecoderFile.open(Tiny.BASE, replaying.backend());
                var sessions = new DecodeSessions(new Decoder(replaying.backend(), file.config(), file.weights()))) {
            var one = new Entrant(new int[] {1, 2}, List.of(), 5, List.of(new int[] {3}));
            var generator = new ContinuousGenerator(sessions, 2, POSITIONS);
            generator.enter(List.of(one));
            replaying.fail(new IllegalStateException("the device is gone"));
            assertThrows(IllegalStateException.class, generator::step);
            replaying.fail(null);
            for (Executable later : List.<Executable>of(generator::step, () -> generator.enter(List.of(one)))) {
                assertTrue(assertThrows(IllegalStateException.class, later).getMessage().contains("a pass failed: the device is gone"));
            }
            generator.close();
            assertEquals(0, sessions.idleBytes(), "a session in an unknown state is not kept");
        }
    }

    private static List<Integer> said(DecodeSessions sessions, Entrant one) {
        List<Integer> said = new ArrayList<>();
        try (var generator = new Generator(sessions, List.of(new Generator.Sequence(one.prompt(), one.adapters(), Sampler.greedy(), one.maxTokens())))) {
            generator.prefill(() -> false);
            do {
                if (generator.running(0)) {
                    said.add(generator.take(0));
                }
            } while (generator.step());
        }
        return said;
    }

    @ParameterizedTest
    @MethodSource("backends")
    void likelihoodsAreSumsOfLogSoftmax(String name) {
        try (Backend backend = Backend.open(name);
                DecoderFile file = DecoderFile.open(Tiny.BASE, backend);
                var sessions = new DecodeSessions(new Decoder(backend, file.config(), file.weights()))) {
            List<Entrant> entrants = entrants(file.config(), 24);
            List<Outcome> found = run(sessions, entrants, 5, 1);
            for (int i = 0; i < entrants.size(); i++) {
                Entrant one = entrants.get(i);
                double[] wanted = one.continuations().stream().mapToDouble(option -> logProbability(sessions.decoder(), one, option)).toArray();
                assertArrayEquals(wanted, found.get(i).likelihoods().stream().mapToDouble(Double::doubleValue).toArray(), 2e-3);
            }
        }
    }

    private static double logProbability(Decoder decoder, Entrant one, int[] option) {
        double sum = 0;
        int[] ids = one.prompt();
        for (int token : option) {
            float[] logits = Teacher.lastLogits(decoder, ids, one.adapters());
            double total = 0;
            for (float logit : logits) {
                total += Math.exp(logit);
            }
            sum += logits[token] - Math.log(total);
            ids = Arrays.copyOf(ids, ids.length + 1);
            ids[ids.length - 1] = token;
        }
        return sum;
    }

    /** The second of each pair shares with the first, which is read before it; the third with one that was there already. */
    @Test
    void sharesTheLongestBeginningOfTheSameAdapters() {
        List<LoraBatch.Entry> none = List.of();
        var slots = new Slot[] {new Slot(), new Slot(), new Slot(), new Slot(), new Slot()};
        slots[3].enter(new Entrant(IntStream.range(0, 20).toArray(), none, 1, List.of()));
        slots[4].enter(new Entrant(IntStream.range(0, 30).map(i -> 2 * i).toArray(), none, 1, List.of()));
        slots[4].running = false;
        List<SharedPrefixes.Arrival> plan = SharedPrefixes.plan(slots, new int[] {0, 1, 2}, List.of(
                new Entrant(IntStream.range(0, 40).toArray(), none, 1, List.of()),
                new Entrant(IntStream.range(0, 35).toArray(), List.of(), 1, List.of()),
                new Entrant(IntStream.range(0, 30).map(i -> 2 * i).toArray(), none, 1, List.of())));
        assertEquals(List.of(3, 0, 4), plan.stream().map(SharedPrefixes.Arrival::donor).toList());
        assertEquals(List.of(20, 34, 29), plan.stream().map(SharedPrefixes.Arrival::shared).toList(), "the last position is always read");
        assertEquals(List.of(false, true, false), plan.stream().map(SharedPrefixes.Arrival::late).toList());
    }

    @Test
    void refusesWhatCannotEnter() {
        assertThrows(IllegalArgumentException.class, () -> new Entrant(new int[0], List.of(), 1, List.of()));
        assertThrows(IllegalArgumentException.class, () -> new Entrant(new int[1], List.of(), 0, List.of()));
        assertThrows(IllegalArgumentException.class, () -> new Entrant(new int[1], List.of(), 1, List.of(new int[0])));
        try (Backend backend = Backend.best();
                DecoderFile file = DecoderFile.open(Tiny.BASE, backend);
                var sessions = new DecodeSessions(new Decoder(backend, file.config(), file.weights()));
                var generator = new ContinuousGenerator(sessions, 1, POSITIONS)) {
            var one = new Entrant(new int[] {1}, List.of(), 2, List.of());
            assertThrows(IllegalStateException.class, () -> generator.enter(List.of(one, one)));
            generator.enter(List.of(one));
            assertEquals(0, generator.free());
            assertThrows(IllegalStateException.class, () -> generator.enter(List.of(one)));
        }
    }
}
