package dev.t2l;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** How a text grows and ends: streaming, stop sequences, cancellation. */
class GenerationTest {
    private final Backend backend = Backend.best();
    private final LanguageModel lm = LanguageModel.load(Tiny.BASE, backend);

    @AfterEach
    void close() {
        lm.close();
        backend.close();
    }

    private static Request request(Sampling sampling) {
        return Request.raw("x", Adaptation.none(), sampling);
    }

    /** Random bytes as well as letters: what a model with random weights says at a high temperature. */
    private static Sampling wild(long seed) {
        return Sampling.temperature(5, seed).withMaxTokens(60);
    }

    @Test
    void streamedPiecesAreTheTextAndNeverBreakACharacter() {
        int replaced = 0;
        for (int seed = 0; seed < 20; seed++) {
            List<String> pieces = new ArrayList<>();
            Completion done = lm.generate(request(wild(seed)).withSink(pieces::add));
            assertEquals(done.text(), String.join("", pieces));
            int[] tokens = done.finish() == Completion.Finish.STOP ? Arrays.copyOf(done.tokens(), done.tokens().length - 1) : done.tokens();
            assertEquals(lm.tokenizer().decode(tokens, true), done.text());
            for (String piece : pieces) {
                assertFalse(piece.isEmpty());
                assertTrue(StandardCharsets.UTF_8.newEncoder().canEncode(piece), "half of a surrogate pair");
            }
            replaced += done.text().contains("\uFFFD") ? 1 : 0;
        }
        assertTrue(replaced > 0, "no text had bytes that are no character: the test proves too little");
    }

    @Test
    void aStopSequenceEndsTheTextBeforeIt() {
        Completion free = lm.generate(request(Sampling.temperature(1, 3).withMaxTokens(60)));
        assertTrue(free.text().length() > 20, free.text());
        String stop = free.text().substring(8, 12);
        List<String> pieces = new ArrayList<>();
        Completion stopped = lm.generate(request(Sampling.temperature(1, 3).withMaxTokens(60).withStop("never said", stop)).withSink(pieces::add));
        assertEquals(free.text().substring(0, free.text().indexOf(stop)), stopped.text());
        assertEquals(stopped.text(), String.join("", pieces));
        assertEquals(Completion.Finish.STOP, stopped.finish());
        assertTrue(stopped.tokens().length < free.tokens().length);
        assertArrayEquals(Arrays.copyOf(free.tokens(), stopped.tokens().length), stopped.tokens());
    }

    @Test
    void theEndOfTurnIsATokenButNoText() {
        int end = lm.tokenizer().encode("<|end|>", false, true)[0];
        for (int seed = 0; seed < 200; seed++) {
            Completion done = lm.generate(request(wild(seed)));
            if (done.finish() == Completion.Finish.STOP) {
                assertEquals(end, done.tokens()[done.tokens().length - 1]);
                assertFalse(done.text().contains("<|end|>"));
                return;
            }
        }
        throw new AssertionError("no text ended by itself");
    }

    @Test
    void aCancelledRequestEndsWithWhatItHas() {
        Completion free = lm.generate(request(Sampling.greedy().withMaxTokens(40)));
        var asked = new AtomicInteger();
        Completion cancelled = lm.generate(request(Sampling.greedy().withMaxTokens(40)).withCancellation(() -> asked.incrementAndGet() > 4));
        assertEquals(Completion.Finish.CANCELLED, cancelled.finish());
        assertArrayEquals(Arrays.copyOf(free.tokens(), 3), cancelled.tokens(), "asked once for the prompt, then before each token");
        assertEquals(Completion.Finish.CANCELLED, lm.generate(request(Sampling.greedy()).withCancellation(() -> true)).finish());
    }

    @Test
    void cancellingOneLeavesTheOthers() {
        Request other = request(Sampling.temperature(1, 5).withMaxTokens(30));
        var asked = new AtomicInteger();
        List<Completion> both = lm.generate(List.of(request(Sampling.greedy()).withCancellation(() -> asked.incrementAndGet() > 5), other));
        assertEquals(Completion.Finish.CANCELLED, both.getFirst().finish());
        assertEquals(lm.generate(other), both.getLast());
    }

    @Test
    void anInterruptCancelsAllRequestsOfTheCall() {
        var tokens = new AtomicInteger();
        Request interrupting = request(wild(1)).withCancellation(() -> {
            if (tokens.incrementAndGet() == 6) {
                Thread.currentThread().interrupt();
            }
            return false;
        });
        List<Completion> both = lm.generate(List.of(interrupting, request(wild(2))));
        assertTrue(Thread.interrupted(), "the interrupt is left for the caller to see");
        assertEquals(Collections.nCopies(2, Completion.Finish.CANCELLED), both.stream().map(Completion::finish).toList());
        assertEquals(Completion.Finish.LENGTH, lm.generate(request(Sampling.greedy().withMaxTokens(3))).finish());
    }

    @Test
    void longPromptsAreCancelledBetweenPasses() {
        Request long100 = Request.raw("z".repeat(100), Adaptation.none(), Sampling.greedy());
        var asked = new AtomicInteger();
        List<Completion> done = lm.generate(Collections.nCopies(8, long100.withCancellation(() -> asked.incrementAndGet() > 1)));
        assertEquals(Collections.nCopies(8, Completion.Finish.CANCELLED), done.stream().map(Completion::finish).toList());
        assertTrue(done.stream().allMatch(c -> c.tokens().length == 0 && c.text().isEmpty()));
    }

    @Test
    void whatTheSinkThrowsEndsTheCall() {
        var failure = new IllegalArgumentException("the socket is gone");
        assertEquals(failure, assertThrows(IllegalArgumentException.class, () -> lm.generate(request(wild(1)).withSink(_ -> {
            throw failure;
        }))));
        assertEquals(Completion.Finish.LENGTH, lm.generate(request(Sampling.greedy().withMaxTokens(3))).finish());
    }
}
