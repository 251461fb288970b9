package dev.t2l;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Closing models, hypernetworks and adapters: before, after and during a request. */
@Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CloseTest {
    private final Backend backend = Backend.best();
    private final LanguageModel lm = LanguageModel.load(Tiny.BASE, backend);

    @AfterEach
    void close() {
        lm.close();
        backend.close();
    }

    private static Request request(Adaptation adaptation) {
        return Request.raw("a prompt", adaptation, Sampling.greedy().withMaxTokens(20));
    }

    private static void assertClosed(String what, Runnable use) {
        String message = assertThrows(IllegalStateException.class, use::run).getMessage();
        assertEquals(what + " is closed", message);
    }

    /** Closes {@code owner} while a request with the adaptation runs: that one ends as ever, a later one is refused. */
    private void assertEndsAsEver(Adaptation adaptation, AutoCloseable owner, String what) throws Exception {
        Completion want = lm.generate(request(adaptation));
        var running = new CountDownLatch(1);
        var proceed = new CountDownLatch(1);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Completion> got = threads.submit(() -> lm.generate(request(adaptation).withCancellation(() -> {
                running.countDown();
                await(proceed);
                return false;
            })));
            running.await();
            Thread closer = Thread.ofPlatform().start(() -> close(owner));
            while (closer.getState() != Thread.State.WAITING) {
                Thread.sleep(1);
            }
            assertClosed(what, () -> lm.generate(request(adaptation)));
            assertFalse(got.isDone());
            proceed.countDown();
            assertEquals(want, got.get(30, TimeUnit.SECONDS));
            closer.join();
        }
        close(owner);
        assertClosed(what, () -> lm.generate(request(adaptation)));
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void close(AutoCloseable owner) {
        try {
            owner.close();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void aModelClosesWhenItsRequestsHaveEnded() throws Exception {
        assertEndsAsEver(Adaptation.none(), lm, "the language model " + Tiny.BASE);
    }

    @Test
    void anAdapterClosesWhenItsRequestsHaveEnded() throws Exception {
        try (TextToLora t2l = TextToLora.load(Tiny.T2L, lm)) {
            Adapter adapter = t2l.generate("Answer with yes or no.");
            assertEndsAsEver(adapter.scaled(5), adapter, "the adapter");
        }
    }

    @Test
    void aRequestCannotCloseWhatItRunsOn() {
        LanguageModel own = LanguageModel.load(Tiny.BASE, backend); // a failure would never let it close
        Adapter adapter = Tiny.adapter(own.config(), 2, 1);
        for (AutoCloseable owner : new AutoCloseable[] {own, adapter}) {
            String message = assertThrows(IllegalStateException.class, () -> own.generate(request(adapter).withSink(_ -> close(owner)))).getMessage();
            assertTrue(message.contains("cannot be closed from within a request"), message);
        }
        assertEquals(Completion.Finish.LENGTH, own.generate(request(adapter)).finish(), "both are still open");
        own.close();
    }

    @Test
    void nothingWorksAfterClosing() {
        LanguageModel merged = lm.merge(Tiny.adapter(lm.config(), 2, 1));
        TextToLora t2l = TextToLora.load(Tiny.T2L, lm);
        Adapter adapter = t2l.generate("x");
        t2l.close();
        t2l.close();
        assertClosed("the Text-to-LoRA network", () -> t2l.generate("x"));
        assertEquals(Completion.Finish.LENGTH, lm.generate(request(adapter)).finish(), "an adapter outlives its hypernetwork");
        merged.close();
        merged.close();
        assertClosed("the language model " + Tiny.BASE, () -> merged.generate(request(Adaptation.none())));
        assertClosed("the language model " + Tiny.BASE, merged::unmerge);
        assertClosed("the language model " + Tiny.BASE, merged::tokenizer);
        lm.close();
        assertClosed("the language model " + Tiny.BASE, () -> lm.merge(adapter));
        assertClosed("the language model " + Tiny.BASE, lm::tokenizer);
        adapter.close();
        adapter.close();
        assertThrows(IllegalStateException.class, () -> adapter.save(Tiny.BASE.resolve("never")));
        assertThrows(IllegalStateException.class, () -> adapter.weights().pairs().values().iterator().next().a().address());
    }

    @Test
    void anEncoderThatBorrowsTheModelIsRefusedAfterIt() {
        try (TextToLora t2l = TextToLora.load(Tiny.T2L, lm)) {
            TextEncoder encoder = t2l.encoder();
            assertEquals(encoder.width(), encoder.embed("x").length);
            lm.close();
            assertClosed("the language model " + Tiny.BASE, () -> t2l.generate("x"));
            assertClosed("the language model " + Tiny.BASE, () -> encoder.embed("x"));
        }
    }
}
