package dev.t2l.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import dev.t2l.Adapter;
import dev.t2l.EachBackend;
import dev.t2l.Models;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.ops.LoraBatch;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Sequences side by side have the bits that each has alone; and a step leaves nothing on the heap. */
class GeneratorTest {
    static List<String> backends() {
        return EachBackend.available();
    }

    private record Rows(int[] prompt, List<LoraBatch.Entry> adapters) {
    }

    /** The logits of the prompts' last positions, then of a step with token 5, a row a sequence. */
    private static List<float[]> logits(Decoder decoder, List<Rows> sequences) {
        int total = sequences.stream().mapToInt(s -> s.prompt().length).sum();
        int longest = sequences.stream().mapToInt(s -> s.prompt().length).max().orElseThrow();
        Backend backend = decoder.backend();
        List<float[]> found = new ArrayList<>();
        try (var space = new Workspace(backend, decoder.config(), total, sequences.size());
                var cache = new KvCache(backend, decoder.config(), sequences.size(), longest + 1)) {
            for (boolean prefill : new boolean[] {true, false}) {
                List<List<LoraBatch.Entry>> rows = new ArrayList<>();
                space.clear();
                for (int s = 0; s < sequences.size(); s++) {
                    int[] prompt = sequences.get(s).prompt();
                    for (int p = prefill ? 0 : prompt.length; p < prompt.length || !prefill && p == prompt.length; p++) {
                        space.add(cache, s, p, p < prompt.length ? prompt[p] : 5, p >= prompt.length - 1);
                        rows.add(sequences.get(s).adapters());
                    }
                }
                try (var lora = new LoraBatch(backend, rows, decoder::interleavedHeadDim)) {
                    decoder.forward(space, cache, lora);
                    decoder.logits(space);
                }
                float[] all = Teacher.floats(backend, space.logits());
                for (int s = 0; s < sequences.size(); s++) {
                    found.add(Arrays.copyOfRange(all, s * decoder.config().vocabulary(), (s + 1) * decoder.config().vocabulary()));
                }
            }
        }
        return found;
    }

    @ParameterizedTest
    @MethodSource("backends")
    void aSequenceHasTheBitsItHasAlone(String name) {
        try (Backend backend = Backend.open(name)) {
            for (Path folder : List.of(Tiny.BASE, Tiny.GEMMA)) {
                try (DecoderFile file = DecoderFile.open(folder, backend)) {
                    Decoder decoder = decoder(backend, file);
                    var a = new LoraBatch.Entry(Tiny.adapter(file.config(), 3, 1).weights(), LoraBatch.Weight.constant(1));
                    var b = new LoraBatch.Entry(Tiny.adapter(file.config(), 8, 2).weights(), LoraBatch.Weight.constant(0.5f));
                    List<Rows> sequences = List.of(new Rows(new int[] {1}, List.of(a)), new Rows(new int[] {4, 3, 2, 9, 60, 7, 8}, List.of()),
                            new Rows(new int[] {1}, List.of()), new Rows(new int[] {9, 9, 9, 9, 1, 2}, List.of(b, a)), new Rows(new int[] {4, 3, 2}, List.of(b)));
                    List<float[]> together = logits(decoder, sequences);
                    for (int s = 0; s < sequences.size(); s++) {
                        List<float[]> alone = logits(decoder, List.of(sequences.get(s)));
                        assertArrayEquals(alone.get(0), together.get(s), "prefill of sequence " + s);
                        assertArrayEquals(alone.get(1), together.get(sequences.size() + s), "step of sequence " + s);
                    }
                    assertFalse(Arrays.equals(together.get(0), together.get(2)), "the adapter does something");
                }
            }
        }
    }

    @Test
    void refusesWhatItHasNoRoomFor() {
        try (Backend backend = Backend.best();
                DecoderFile file = DecoderFile.open(Tiny.BASE, backend);
                var sessions = new DecodeSessions(decoder(backend, file))) {
            Decoder decoder = sessions.decoder();
            int context = file.config().contextLength();
            assertThrows(IllegalArgumentException.class, () -> sequence(decoder, new int[0], null, false, 1));
            assertThrows(IllegalArgumentException.class, () -> new Generator(sessions, List.of(sequence(decoder, new int[] {1}, null, false, context))));
            try (var generator = new Generator(sessions, List.of(sequence(decoder, new int[] {1, file.config().vocabulary()}, null, false, 1)))) {
                assertThrows(IllegalArgumentException.class, () -> generator.prefill(() -> false));
            }
        }
    }

    private static Generator.Sequence sequence(Decoder decoder, int[] prompt, Adapter adapter, boolean sampled, int maxTokens) {
        var sampler = sampled ? new Sampler(0.8f, 40, 0.95f, 0.01f, 1) : Sampler.greedy();
        List<LoraBatch.Entry> adapters = adapter == null ? List.of() : List.of(new LoraBatch.Entry(adapter.weights(), LoraBatch.Weight.constant(1)));
        return new Generator.Sequence(prompt, adapters, sampler, maxTokens);
    }

    /** Heap bytes of the steps 100 to 200 of a generation. */
    private static long allocated(DecodeSessions sessions, Generator.Sequence sequence) {
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (var generator = new Generator(sessions, List.of(sequence))) {
            generator.prefill(() -> false);
            long before = 0;
            for (int step = 0; step < 200; step++) {
                if (step == 100) {
                    before = threads.getCurrentThreadAllocatedBytes();
                }
                generator.take(0);
                assertTrue(generator.step());
            }
            return threads.getCurrentThreadAllocatedBytes() - before;
        }
    }

    /** Once the code is compiled, which takes a number of generations. */
    private static void assertAllocatesNothing(Decoder decoder, Adapter adapter, boolean sampled) {
        Generator.Sequence sequence = sequence(decoder, new int[] {1, 2, 3}, adapter, sampled, 250);
        long least = Long.MAX_VALUE;
        try (var sessions = new DecodeSessions(decoder)) {
            for (int round = 0; round < 60 && least > 0; round++) {
                least = Math.min(least, allocated(sessions, sequence));
            }
        }
        assertEquals(0, least, "heap bytes of 100 steps, " + (adapter == null ? "without" : "with") + " adapter, " + (sampled ? "sampled" : "greedy"));
    }

    private static Decoder decoder(Backend backend, DecoderFile file) {
        return new Decoder(backend, file.config(), file.weights());
    }

    @ParameterizedTest
    @ValueSource(strings = {"gemma2", "llama_bf16_sharded"})
    void aStepAllocatesNothing(String model) {
        assumeTrue(EachBackend.available().contains("cpu"), "plain Java may allocate");
        try (Backend cpu = Backend.open("cpu"); DecoderFile file = DecoderFile.open(Path.of("src/test/golden/decoders", model, "model"), cpu)) {
            Decoder decoder = decoder(cpu, file);
            for (boolean sampled : new boolean[] {false, true}) {
                assertAllocatesNothing(decoder, null, sampled);
                assertAllocatesNothing(decoder, Tiny.adapter(file.config(), 8, 1), sampled);
            }
        }
    }

    @Test
    @Tag("cuda")
    void aStepOnTheGpuAllocatesNothing() {
        assumeTrue(EachBackend.available().contains("cuda"), "no GPU");
        try (Backend cuda = Backend.open("cuda"); DecoderFile file = DecoderFile.open(Tiny.GEMMA, cuda)) {
            Decoder decoder = decoder(cuda, file);
            assertAllocatesNothing(decoder, null, false);
            assertAllocatesNothing(decoder, Tiny.adapter(file.config(), 8, 1), true);
        }
    }

    @Test
    @Tag("models")
    void aStepOfSmolLm2AllocatesNothing() {
        Path model = Models.require("SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct.Q4_1.gguf");
        assumeTrue(EachBackend.available().contains("cpu"), "plain Java may allocate");
        try (Backend cpu = Backend.open("cpu"); DecoderFile file = DecoderFile.open(model, cpu)) {
            assertAllocatesNothing(decoder(cpu, file), null, false);
            assertAllocatesNothing(decoder(cpu, file), Tiny.adapter(file.config(), 8, 1), true);
        }
    }
}
