package dev.t2l.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;

/**
 * How long something is repeated: first unmeasured, then measured.
 *
 * @param warmUpSeconds at least one run
 * @param seconds       at least {@link #LEAST} runs, unless these take over ten times as long
 */
public record Stopwatch(double warmUpSeconds, double seconds) {
    private static final int LEAST = 3;

    /** A run that gives what it measured itself, in milliseconds. */
    interface Run {
        double[] millis();
    }

    /** Times one thing after another; {@code next} prepares it, unmeasured. */
    Samples time(Supplier<Runnable> next) {
        return collect(() -> new double[] {millis(next.get())});
    }

    private static double millis(Runnable run) {
        long start = System.nanoTime();
        run.run();
        return (System.nanoTime() - start) * 1e-6;
    }

    /** Collects what runs measure. */
    Samples collect(Run run) {
        long start = System.nanoTime();
        do {
            run.millis();
        } while (elapsed(start) < warmUpSeconds);
        double[] all = new double[64];
        int count = 0;
        int runs = 0;
        start = System.nanoTime();
        do {
            double[] more = run.millis();
            all = count + more.length > all.length ? Arrays.copyOf(all, 2 * (count + more.length)) : all;
            System.arraycopy(more, 0, all, count, more.length);
            count += more.length;
            runs++;
        } while (elapsed(start) < seconds || runs < LEAST && elapsed(start) < 10 * seconds);
        return new Samples(Arrays.copyOf(all, count));
    }

    /** As {@link #time}, in several threads at once. */
    Samples concurrently(int threads, Supplier<Runnable> next) {
        concurrently(threads, next, warmUpSeconds);
        return new Samples(concurrently(threads, next, seconds));
    }

    private static double[] concurrently(int threads, Supplier<Runnable> next, double seconds) {
        List<Future<double[]>> callers = new ArrayList<>();
        try (var executor = Executors.newThreadPerTaskExecutor(Thread.ofPlatform().factory())) {
            long start = System.nanoTime();
            for (int t = 0; t < threads; t++) {
                callers.add(executor.submit(() -> {
                    List<Double> millis = new ArrayList<>();
                    do {
                        millis.add(millis(next.get()));
                    } while (elapsed(start) < seconds);
                    return millis.stream().mapToDouble(Double::doubleValue).toArray();
                }));
            }
        }
        return callers.stream().flatMapToDouble(c -> Arrays.stream(result(c))).toArray();
    }

    private static double[] result(Future<double[]> caller) {
        try {
            return caller.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while callers were measured", e);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e.getCause());
        }
    }

    private static double elapsed(long start) {
        return (System.nanoTime() - start) * 1e-9;
    }
}
