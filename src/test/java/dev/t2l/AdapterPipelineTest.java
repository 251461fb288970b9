package dev.t2l;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Short descriptions through recordings: the bits of the direct way, whatever was in a recording's memory before, on many threads. */
class AdapterPipelineTest {
    /** Padded to each of the lengths, to its very end, and one too long for any. */
    private static final int[] TOKENS = {4, 31, 32, 33, 64, 65, 127, 128, 129};
    private static final int LENGTHS = 6;
    private static final int MOST_PIPELINES = 8;

    static List<String> backends() {
        return EachBackend.available();
    }

    /** A hypernetwork with a pooled encoder on a backend that replays: of its own accord or by {@link Replaying}. */
    private record Opened(Backend own, Replaying replaying, TextEncoder encoder, TextToLora t2l) implements AutoCloseable {
        static Opened on(String name) {
            Backend own = Backend.open(name);
            Replaying replaying = own.replays() ? null : Replaying.of(own);
            Backend backend = replaying == null ? own : replaying.backend();
            TextEncoder encoder = TextEncoder.load(Tiny.GTE_T2L.resolve("gte-tiny"), backend);
            return new Opened(own, replaying, encoder, TextToLora.load(Tiny.GTE_T2L, Optional.empty(), backend, encoder));
        }

        /** A description of so many tokens. */
        String description(int tokens) {
            var text = new StringBuilder("Task");
            for (int i = 0; encoder.taskIds(List.of(text.toString()))[0].length < tokens; i++) {
                text.append(i % 7 == 0 ? " a" : i % 3 == 0 ? " b" : " c");
            }
            assertEquals(tokens, encoder.taskIds(List.of(text.toString()))[0].length, "tokens");
            return text.toString();
        }

        float[] recorded(String description) {
            try (Adapter adapter = t2l.generate(description)) {
                return values(adapter);
            }
        }

        /** Two descriptions go the direct way. */
        float[] direct(String description) {
            List<Adapter> two = t2l.generate(List.of(description, "Another task."));
            float[] values = values(two.getFirst());
            two.forEach(Adapter::close);
            return values;
        }

        @Override
        public void close() {
            t2l.close();
            encoder.close();
            own.close();
        }
    }

    private static float[] values(Adapter adapter) {
        try (Arena arena = Arena.ofConfined()) {
            var all = new ArrayList<Float>();
            adapter.onHost(arena).pairs().entrySet().stream().sorted(Map.Entry.comparingByKey((a, b) -> a.toString().compareTo(b.toString()))).forEach(pair -> {
                for (float[] factor : new float[][] {pair.getValue().a().toFloats(), pair.getValue().b().toFloats()}) {
                    for (float value : factor) {
                        all.add(value);
                    }
                }
            });
            float[] values = new float[all.size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = all.get(i);
            }
            return values;
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void recordingsGiveTheBitsOfTheDirectWay(String name) {
        try (Opened opened = Opened.on(name)) {
            List<String> descriptions = IntStream.of(TOKENS).mapToObj(opened::description).toList();
            Map<String, float[]> want = descriptions.stream().collect(Collectors.toMap(d -> d, opened::direct));
            int recordings = LENGTHS + 2; // and those of bodies of two, and of one, the longest
            for (int round = 0; round < 4; round++) { // run, recorded, replayed, replayed; longest first and last
                for (String d : round % 2 == 0 ? descriptions.reversed() : descriptions) {
                    assertArrayEquals(want.get(d), opened.recorded(d), () -> name + ": " + d);
                }
            }
            if (opened.replaying() != null) {
                assertEquals(recordings, opened.replaying().recordings.get());
                assertEquals(4 * TOKENS.length + TOKENS.length - 2 * recordings, opened.replaying().replays.get(), "each recording but twice");
            }
            opened.t2l().close();
            if (opened.replaying() != null) {
                assertEquals(recordings, opened.replaying().closed.get());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void manyThreadsShareFewPipelines(String name) throws Exception {
        try (Opened opened = Opened.on(name); ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<String> descriptions = IntStream.range(0, 5).mapToObj(i -> opened.description(10 + 20 * i)).toList();
            List<float[]> want = descriptions.stream().map(opened::direct).toList();
            List<Callable<Integer>> calls = new ArrayList<>();
            for (int i = 0; i < 60; i++) {
                int which = i % 5;
                boolean direct = i % 9 == 0; // each with a recording of its body, at most
                calls.add(() -> {
                    String d = descriptions.get(which);
                    assertArrayEquals(want.get(which), direct ? opened.direct(d) : opened.recorded(d));
                    assertArrayEquals(want.get(which), opened.recorded(d));
                    return which;
                });
            }
            for (Future<Integer> done : threads.invokeAll(calls)) {
                assertTrue(done.get() >= 0);
            }
            if (opened.replaying() != null) {
                assertTrue(opened.replaying().recordings.get() <= LENGTHS * MOST_PIPELINES + 7 + 1, () -> "recordings: " + opened.replaying().recordings);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void encodersEmbedOnManyThreads(String name) throws Exception {
        try (Opened opened = Opened.on(name); ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<String> texts = IntStream.range(0, 6).mapToObj(i -> "word ".repeat(1 + 60 * i)).toList();
            List<float[]> want = texts.stream().map(opened.encoder()::embed).toList();
            List<Callable<float[]>> calls = IntStream.range(0, 24).<Callable<float[]>>mapToObj(i -> () -> opened.encoder().embed(texts.get(i % 6))).toList();
            List<Future<float[]>> done = threads.invokeAll(calls);
            for (int i = 0; i < done.size(); i++) {
                assertArrayEquals(want.get(i % 6), done.get(i).get());
            }
        }
    }
}
