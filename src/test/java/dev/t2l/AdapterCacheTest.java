package dev.t2l;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.LoraWeights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Adapters that are kept: found again, freed when others need the room, and never under somebody's hands. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class AdapterCacheTest {
    static List<String> backends() {
        return EachBackend.available();
    }

    private static void with(String name, BiConsumer<LanguageModel, TextToLora> test) {
        try (Backend backend = Backend.open(name); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend); TextToLora t2l = TextToLora.load(Tiny.T2L, lm)) {
            test.accept(lm, t2l);
        }
    }

    private static Completion answer(LanguageModel lm, Adapter adapter) {
        return lm.generate(Request.raw("one two", adapter.scaled(5), Sampling.greedy().withMaxTokens(4)));
    }

    private static boolean freed(LoraWeights weights) {
        return !weights.pairs().values().iterator().next().a().data().scope().isAlive();
    }

    /** Asks for an adapter and gives it back. */
    private static LoraWeights touch(TextToLora t2l, String description) {
        try (Adapter adapter = t2l.adapt(description)) {
            return adapter.weights();
        }
    }

    private static long bytesOfOne(TextToLora t2l) {
        AdapterCache cache = t2l.cache();
        touch(t2l, "measured");
        return cache.bytes();
    }

    @ParameterizedTest
    @MethodSource("backends")
    void theSameDescriptionIsGeneratedOnce(String name) {
        with(name, (lm, t2l) -> {
            Adapter one = t2l.adapt("Answer with yes or no.");
            Adapter other = t2l.adapt("Answer with yes or no.");
            try (Adapter own = t2l.generate("Answer with yes or no.")) {
                Completion want = answer(lm, own);
                assertNotSame(own.weights(), one.weights());
                assertSame(one.weights(), other.weights());
                one.close();
                one.close();
                assertThrows(IllegalStateException.class, () -> answer(lm, one));
                assertEquals(want, answer(lm, other), "closing one leaves the other");
                other.close();
                assertFalse(freed(other.weights()));
                try (Adapter again = t2l.adapt("Answer with yes or no.")) {
                    assertSame(other.weights(), again.weights());
                    assertEquals(want, answer(lm, again));
                }
            }
            AdapterCache cache = t2l.cache();
            assertEquals(List.of(1L, 2L, 1), List.of(cache.misses(), cache.hits(), cache.size()));
            assertTrue(cache.bytes() > 0);
            cache.clear();
            assertTrue(freed(other.weights()));
            assertEquals(List.of(0L, 0), List.of(cache.bytes(), cache.size()));
        });
    }

    @ParameterizedTest
    @MethodSource("backends")
    void theLeastRecentlyUsedGoesAndNoneInUse(String name) {
        long[] one = new long[1];
        with(name, (_, t2l) -> one[0] = bytesOfOne(t2l));
        with(name, (lm, t2l) -> {
            t2l.keepIn(new AdapterCache(2 * one[0]));
            AdapterCache cache = t2l.cache();
            LoraWeights a = touch(t2l, "a");
            LoraWeights b = touch(t2l, "b");
            assertSame(a, touch(t2l, "a"));
            LoraWeights c = touch(t2l, "c");
            assertTrue(freed(b) && !freed(a) && !freed(c));

            Adapter used = t2l.adapt("a");
            Completion want = answer(lm, used);
            List<Adapter> more = IntStream.range(0, 3).mapToObj(i -> t2l.adapt("more " + i)).toList();
            assertTrue(freed(c));
            assertEquals(4 * one[0], cache.bytes(), "all are in use");
            assertEquals(want, answer(lm, used));
            more.forEach(Adapter::close);
            assertEquals(2 * one[0], cache.bytes());
            assertFalse(freed(used.weights()));
            assertEquals(want, answer(lm, used));

            cache.clear();
            assertFalse(freed(used.weights()), "in use");
            assertEquals(want, answer(lm, used));
            used.close();
            assertTrue(freed(used.weights()));
        });
    }

    @ParameterizedTest
    @MethodSource("backends")
    void closingFreesWhatNobodyUses(String name) {
        try (Backend backend = Backend.open(name); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend)) {
            var both = new AdapterCache(1);
            TextToLora first = TextToLora.load(Tiny.T2L, lm).keepIn(both);
            TextToLora second = TextToLora.load(Tiny.T2L, lm).keepIn(both);
            LoraWeights idle = touch(first, "idle");
            Adapter used = first.adapt("used");
            LoraWeights others = touch(second, "idle");
            assertNotSame(idle, others);
            first.close();
            assertTrue(freed(idle));
            assertFalse(freed(others));
            assertEquals(Completion.Finish.LENGTH, answer(lm, used).finish(), "an adapter outlives its hypernetwork");
            used.close();
            assertTrue(freed(used.weights()));
            assertEquals(1, both.size());
            assertThrows(IllegalStateException.class, () -> first.adapt("idle"));
            second.close();
            assertEquals(0, both.bytes());
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void manyThreadsAndLittleRoom(String name) throws Exception {
        long[] one = new long[1];
        with(name, (_, t2l) -> one[0] = bytesOfOne(t2l));
        List<String> descriptions = IntStream.range(0, 6).mapToObj(i -> "Task number " + i).toList();
        try (Backend backend = Backend.open(name);
                LanguageModel lm = LanguageModel.load(Tiny.BASE, backend);
                TextToLora t2l = TextToLora.load(Tiny.T2L, lm).keepIn(new AdapterCache(3 * one[0]));
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Map<String, Completion> want = descriptions.stream().collect(Collectors.toMap(d -> d, d -> {
                try (Adapter adapter = t2l.generate(d)) {
                    return answer(lm, adapter);
                }
            }));
            List<Callable<Boolean>> calls = new ArrayList<>();
            for (int i = 0; i < 24; i++) {
                var random = new SplittableRandom(i);
                calls.add(() -> {
                    for (int n = 0; n < 5; n++) {
                        String d = descriptions.get(random.nextInt(descriptions.size()));
                        try (Adapter adapter = t2l.adapt(d)) {
                            assertEquals(want.get(d), answer(lm, adapter));
                        }
                    }
                    return true;
                });
            }
            for (Future<Boolean> done : threads.invokeAll(calls)) {
                assertTrue(done.get());
            }
            AdapterCache cache = t2l.cache();
            assertEquals(24 * 5, cache.hits() + cache.misses());
            assertTrue(cache.hits() > 0 && cache.misses() >= 6, () -> cache.hits() + " hits, " + cache.misses() + " misses");
            assertEquals(cache.size() * one[0], cache.bytes());
            assertTrue(cache.size() <= 3);
        }
    }

    @Test
    void failuresAreNotKept() {
        with(EachBackend.available().getFirst(), (_, t2l) -> {
            for (int i = 0; i < 2; i++) {
                assertThrows(IllegalArgumentException.class, () -> t2l.adapt("  "));
            }
            assertEquals(List.of(2L, 0), List.of(t2l.cache().misses(), t2l.cache().size()));
            assertThrows(IllegalStateException.class, () -> t2l.keepIn(new AdapterCache()));
            assertThrows(IllegalArgumentException.class, () -> new AdapterCache(-1));
        });
    }

    @Test
    void aCacheOfNothingSharesWhatIsInUse() {
        with(EachBackend.available().getFirst(), (_, t2l) -> {
            t2l.keepIn(new AdapterCache(0));
            Adapter one = t2l.adapt("x");
            assertSame(one.weights(), touch(t2l, "x"));
            assertFalse(freed(one.weights()));
            one.close();
            assertTrue(freed(one.weights()));
        });
    }

    @Test
    void theFlightRecorderTellsHits(@TempDir Path folder) throws Exception {
        try (var recording = new Recording()) {
            recording.enable("dev.t2l.Adapt").withoutThreshold();
            recording.start();
            with(EachBackend.available().getFirst(), (_, t2l) -> {
                touch(t2l, "x");
                touch(t2l, "x");
            });
            recording.stop();
            recording.dump(folder.resolve("adapt.jfr"));
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(folder.resolve("adapt.jfr")).stream()
                .filter(e -> e.getEventType().getName().equals("dev.t2l.Adapt")).toList();
        assertEquals(List.of(0, 1), events.stream().map(e -> e.getInt("cached")).toList());
        assertEquals(List.of(1, 1), events.stream().map(e -> e.getInt("descriptions")).toList());
    }
}
