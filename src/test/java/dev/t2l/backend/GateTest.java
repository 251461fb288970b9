package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GateTest {
    private final Gate gate = new Gate("the house");
    private final AtomicInteger released = new AtomicInteger();

    @Test
    void closesOnceAndThenRefuses() {
        gate.enter();
        gate.enter();
        gate.leave();
        gate.leave();
        gate.close(released::incrementAndGet);
        gate.close(released::incrementAndGet);
        assertEquals(1, released.get());
        assertEquals("the house is closed", assertThrows(IllegalStateException.class, gate::enter).getMessage());
    }

    @Test
    void closingFromWithinThrowsAndClosesNothing() {
        gate.enter();
        String message = assertThrows(IllegalStateException.class, () -> gate.close(released::incrementAndGet)).getMessage();
        assertTrue(message.startsWith("the house cannot be closed from within"), message);
        gate.enter();
        gate.leave();
        gate.leave();
        gate.close(released::incrementAndGet);
        assertEquals(1, released.get());
    }

    /** Requests come and go on many threads while one closes: all that got in had the memory until they left. */
    @Test
    void waitsForAllThatAreInside() throws Exception {
        var alive = new AtomicBoolean(true);
        var violations = new AtomicInteger();
        var passed = new AtomicInteger();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int t = 0; t < 20; t++) {
                threads.execute(() -> {
                    while (true) {
                        try {
                            gate.enter();
                        } catch (IllegalStateException _) {
                            return;
                        }
                        try {
                            Thread.yield();
                            violations.addAndGet(alive.get() ? 0 : 1);
                            passed.incrementAndGet();
                        } finally {
                            gate.leave();
                        }
                    }
                });
            }
            while (passed.get() < 1000) {
                Thread.sleep(1);
            }
            gate.close(() -> alive.set(false));
        }
        assertEquals(0, violations.get());
    }

    @Test
    void anInterruptDoesNotCutTheWaitShort() throws Exception {
        var inside = new CountDownLatch(1);
        var leave = new CountDownLatch(1);
        Thread request = Thread.startVirtualThread(() -> {
            gate.enter();
            inside.countDown();
            try {
                leave.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            } finally {
                gate.leave();
            }
        });
        inside.await();
        var interrupted = new AtomicBoolean();
        Thread closer = Thread.ofPlatform().start(() -> {
            gate.close(released::incrementAndGet);
            interrupted.set(Thread.currentThread().isInterrupted());
        });
        closer.interrupt();
        while (closer.getState() != Thread.State.WAITING) {
            Thread.sleep(1);
        }
        assertEquals(0, released.get());
        leave.countDown();
        closer.join();
        request.join();
        assertEquals(1, released.get());
        assertTrue(interrupted.get(), "the interrupt is kept for the caller");
    }
}
