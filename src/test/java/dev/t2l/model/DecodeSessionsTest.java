package dev.t2l.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.Adapter;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.backend.ReplayingBackend;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Sessions used again and again, with steps that are recorded and replayed: nothing of a generation shows in the next. */
class DecodeSessionsTest {
    private static final long PLENTY = 1L << 30;

    private final Backend host = Backend.open("java");
    private final ReplayingBackend replaying = new ReplayingBackend(host);
    private final Backend backend = replaying.backend();
    private final DecoderFile file = DecoderFile.open(Tiny.BASE, backend);
    private final Decoder decoder = new Decoder(backend, file.config(), file.weights());
    private final Adapter strong = Tiny.adapter(file.config(), 3, 1);
    private final Adapter wide = Tiny.adapter(file.config(), 9, 2);
    private final LoraWeights onQueries = only(wide.weights(), Projection.Q, Projection.V);

    @AfterEach
    void close() {
        file.close();
        host.close();
    }

    private static LoraWeights only(LoraWeights adapter, Projection... projections) {
        Map<LoraWeights.Site, LoraWeights.Pair> pairs = new HashMap<>();
        adapter.pairs().forEach((site, pair) -> {
            if (List.of(projections).contains(site.projection())) {
                pairs.put(site, pair);
            }
        });
        return new LoraWeights(pairs);
    }

    private static List<LoraBatch.Entry> adapted(LoraWeights... adapters) {
        return List.of(adapters).stream().map(adapter -> new LoraBatch.Entry(adapter, LoraBatch.Weight.constant(0.8f))).toList();
    }

    private static Generator.Sequence sequence(int seed, List<LoraBatch.Entry> adapters, int maxTokens) {
        int[] prompt = new int[1 + seed * 7 % 20];
        for (int i = 0; i < prompt.length; i++) {
            prompt[i] = 1 + (seed + i * i) % 40;
        }
        return new Generator.Sequence(prompt, adapters, seed % 2 == 0 ? Sampler.greedy() : new Sampler(1.5f, 0, 0.95f, 0, seed), maxTokens);
    }

    /** Lengths and adapters of all kinds; fresh samplers each time. */
    private List<Generator.Sequence> mixed(int count) {
        List<List<LoraBatch.Entry>> adapters = List.of(List.of(), adapted(strong.weights()), adapted(onQueries, strong.weights()), adapted(wide.weights()));
        var sequences = new ArrayList<Generator.Sequence>();
        for (int i = 0; i < count; i++) {
            sequences.add(sequence(i, adapters.get(i % adapters.size()), 3 + i * 5 % 13));
        }
        return sequences;
    }

    private static List<List<Integer>> generate(DecodeSessions sessions, List<Generator.Sequence> sequences) {
        var tokens = new ArrayList<List<Integer>>();
        sequences.forEach(_ -> tokens.add(new ArrayList<>()));
        try (var generator = new Generator(sessions, sequences)) {
            assertTrue(generator.prefill(() -> false));
            do {
                for (int s = 0; s < sequences.size(); s++) {
                    if (generator.running(s)) {
                        tokens.get(s).add(generator.take(s));
                    }
                }
            } while (generator.step());
        }
        return tokens;
    }

    /** What a sequence says alone, in new memory, without replays. */
    private List<Integer> alone(Generator.Sequence sequence) {
        Decoder plain = new Decoder(host, file.config(), file.weights());
        try (var once = new DecodeSessions(plain, 0)) {
            return generate(once, List.of(sequence)).getFirst();
        }
    }

    private List<List<Integer>> alone(List<Generator.Sequence> sequences) {
        return sequences.stream().map(this::alone).toList();
    }

    @Test
    void recordedStepsSayWhatPlainOnesSay() {
        try (var sessions = new DecodeSessions(decoder, PLENTY)) {
            for (int count : new int[] {1, 2, 3, 5, 8, 40}) {
                assertEquals(alone(mixed(count)), generate(sessions, mixed(count)), count + " sequences");
            }
        }
    }

    @Test
    void aUsedSessionSaysWhatANewOneSays() {
        List<List<List<LoraBatch.Entry>>> generations = List.of(
                List.of(adapted(strong.weights()), adapted(wide.weights()), List.of()),
                List.of(adapted(wide.weights()), List.of(), adapted(strong.weights())),
                List.of(List.of(), List.of(), List.of()),
                List.of(adapted(onQueries), List.of(), List.of()),
                List.of(List.of(), adapted(strong.weights(), wide.weights(), onQueries), adapted(wide.weights())),
                List.of(adapted(wide.weights()), List.of(), adapted(strong.weights())));
        try (var sessions = new DecodeSessions(decoder, PLENTY)) {
            for (int round = 0; round < 2; round++) {
                for (List<List<LoraBatch.Entry>> adapters : generations) {
                    var want = new ArrayList<List<Integer>>();
                    var sequences = new ArrayList<Generator.Sequence>();
                    for (int s = 0; s < adapters.size(); s++) {
                        want.add(alone(sequence(s + 3, adapters.get(s), 12 - 3 * s)));
                        sequences.add(sequence(s + 3, adapters.get(s), 12 - 3 * s));
                    }
                    assertEquals(want, generate(sessions, sequences));
                }
            }
            assertNotEquals(alone(sequence(4, List.of(), 9)), alone(sequence(4, adapted(wide.weights()), 9)), "adapters show");
        }
    }

    @Test
    void whatALastGenerationLeftIsNeverRead() {
        try (var sessions = new DecodeSessions(decoder, PLENTY)) {
            List<List<Integer>> want = alone(mixed(5));
            DecodeSession session = sessions.borrow(5, 40, 100);
            for (int l = 0; l < file.config().layers(); l++) {
                for (Tensor cached : List.of(session.cache().keys(l), session.cache().values(l))) {
                    for (long i = 0; i < cached.elements(); i++) {
                        cached.setFloat(i, Float.NaN);
                    }
                }
            }
            sessions.giveBack(session);
            assertEquals(want, generate(sessions, mixed(5)));
            DecodeSession again = sessions.borrow(5, 40, 100);
            assertSame(session, again, "the session with NaN in it was used");
            again.close();
        }
    }

    @Test
    void aStepIsRecordedOnceForEachPowerOfTwoOfRowsAndShapeOfAdapters() {
        try (var sessions = new DecodeSessions(decoder, PLENTY)) {
            generate(sessions, List.of(sequence(1, List.of(), 9), sequence(2, List.of(), 6), sequence(3, List.of(), 3)));
            assertEquals(3, replaying.recordings(), "4 rows, 2 rows, 1 row");
            assertEquals(8, replaying.replays());
            generate(sessions, List.of(sequence(4, List.of(), 3), sequence(5, List.of(), 9), sequence(6, List.of(), 3), sequence(7, List.of(), 3)));
            assertEquals(3, replaying.recordings(), "4 rows and 1 row are there");
            generate(sessions, List.of(sequence(1, adapted(strong.weights()), 5), sequence(1, List.of(), 5), sequence(1, List.of(), 5)));
            assertEquals(4, replaying.recordings());
            generate(sessions, List.of(sequence(1, List.of(), 5), sequence(1, adapted(Tiny.adapter(file.config(), 5, 7).weights()), 5), sequence(1, List.of(), 5)));
            assertEquals(4, replaying.recordings(), "another adapter of the same shape");
            generate(sessions, List.of(sequence(1, adapted(onQueries), 5), sequence(1, List.of(), 5), sequence(1, List.of(), 5)));
            assertEquals(5, replaying.recordings(), "other places");
        }
    }

    private long sizeOfOne() {
        try (var sessions = new DecodeSessions(decoder, PLENTY)) {
            sessions.giveBack(sessions.borrow(1, 64, 1));
            return sessions.idleBytes();
        }
    }

    @Test
    void idleSessionsAreKeptUpToTheBoundTheLeastRecentlyUsedGoingFirst() {
        long one = sizeOfOne();
        try (var sessions = new DecodeSessions(decoder, 2 * one)) {
            DecodeSession a = sessions.borrow(1, 64, 1);
            DecodeSession b = sessions.borrow(1, 64, 1);
            DecodeSession c = sessions.borrow(1, 64, 1);
            assertNotSame(a, b);
            sessions.giveBack(a);
            sessions.giveBack(b);
            assertEquals(2 * one, sessions.idleBytes());
            sessions.giveBack(c);
            assertEquals(2 * one, sessions.idleBytes());
            assertThrows(IllegalStateException.class, () -> a.cache().keys(0).address(), "it was used least recently");
            assertSame(c, sessions.borrow(1, 64, 1), "the last one first");
            assertSame(b, sessions.borrow(1, 64, 1));
            sessions.giveBack(c);
            sessions.giveBack(b);
            sessions.close();
            assertEquals(0, sessions.idleBytes());
            assertEquals(0, replaying.allocated());
            assertThrows(IllegalStateException.class, () -> c.cache().keys(0).address());
            sessions.giveBack(sessions.borrow(1, 64, 1));
            assertEquals(one, sessions.idleBytes(), "they can be used again");
        }
        try (var none = new DecodeSessions(decoder, 0)) {
            long before = replaying.allocated();
            generate(none, mixed(3));
            assertEquals(before, replaying.allocated());
        }
    }

    @Test
    void allMemoryComesBack() {
        try (var sessions = new DecodeSessions(decoder, PLENTY)) {
            for (int count : new int[] {1, 5, 3, 9}) {
                generate(sessions, mixed(count));
            }
            try (var generator = new Generator(sessions, mixed(2))) {
                assertTrue(!generator.prefill(() -> true));
            }
            assertTrue(sessions.idleBytes() > 0);
        }
        assertEquals(0, replaying.allocated());
    }

    @Test
    void idleSessionsMakeRoom() {
        try (var sessions = new DecodeSessions(decoder, PLENTY)) {
            generate(sessions, mixed(9));
            replaying.limit(replaying.allocated() + 1000);
            List<List<Integer>> want = alone(mixed(5));
            assertEquals(want, generate(sessions, mixed(5)));
            replaying.limit(replaying.allocated() / 2);
            sessions.close();
            assertThrows(IllegalStateException.class, () -> new Generator(sessions, mixed(40)));
            assertEquals(0, replaying.allocated());
        }
    }

    @Test
    void aSessionWhoseWorkFailedIsNotKept() {
        try (var sessions = new DecodeSessions(decoder, PLENTY)) {
            var failure = new IllegalStateException("the device is gone");
            var generator = new Generator(sessions, mixed(2));
            replaying.fail(failure);
            assertSame(failure, assertThrows(IllegalStateException.class, () -> generator.prefill(() -> false)));
            assertSame(failure, assertThrows(IllegalStateException.class, generator::close));
            generator.close();
            replaying.fail(null);
            assertEquals(0, sessions.idleBytes());
            assertEquals(0, replaying.allocated());
        }
    }

    @Test
    void brokenLogitsAreRefused() {
        LoraWeights broken = only(strong.weights(), Projection.DOWN).moved(matrix -> {
            float[] values = matrix.toFloats();
            values[0] = Float.NaN;
            return Tensor.ofFloats(values, matrix.shape());
        });
        try (var sessions = new DecodeSessions(decoder, PLENTY)) {
            List<Generator.Sequence> sequences = List.of(sequence(1, adapted(broken), 3));
            assertThrows(ArithmeticException.class, () -> generate(sessions, sequences));
            assertEquals(alone(mixed(1)), generate(sessions, mixed(1)), "and leave nothing behind");
        }
    }

    @Test
    void positionsAreRoundedUpToTheContext() {
        int context = file.config().contextLength();
        assertEquals(new DecodeSession.Size(4, Math.min(256, context)), DecodeSession.Size.of(backend, 3, 5, context));
        assertEquals(new DecodeSession.Size(1, 512), DecodeSession.Size.of(backend, 1, 257, 2000));
        assertEquals(new DecodeSession.Size(64, 2000), DecodeSession.Size.of(backend, 40, 1025, 2000));
        assertEquals(new DecodeSession.Size(3, 512), DecodeSession.Size.of(host, 3, 512, 2000), "no recordings, no rounding of rows");
    }
}
