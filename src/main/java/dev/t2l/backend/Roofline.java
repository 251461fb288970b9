package dev.t2l.backend;

import java.util.Arrays;
import java.util.OptionalDouble;
import java.util.function.DoubleSupplier;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * What a backend's machine reached when it was measured: the two ceilings that kernels are held against.
 *
 * @param bytesPerSecond of memory traffic
 * @param traffic        what was measured
 * @param flopsPerSecond of a dense bf16 product; empty where no library's product is there to compare with
 * @param product        what was measured, or why nothing was
 */
public record Roofline(double bytesPerSecond, String traffic, OptionalDouble flopsPerSecond, String product) {
    private static final int RUNS = 5;
    private static final int MOST_LONGS = 1 << 27;
    private static final int LONGS = 1 << 23;

    /** Measures, which takes some tenths of a second: larger memory than caches hold, medians after a warm-up. */
    public static Roofline measure(Backend backend) {
        return backend.name().equals("cuda") ? CudaRoofline.measure(CudaDevice.open()) : host();
    }

    private static Roofline host() {
        int threads = Integer.getInteger("t2l.threads", Runtime.getRuntime().availableProcessors());
        int each = Math.toIntExact(Math.min(LONGS, Math.min(MOST_LONGS, Runtime.getRuntime().maxMemory() / 32) / threads));
        long[][] memory = IntStream.range(0, threads).parallel().mapToObj(t -> {
            long[] part = new long[each];
            Arrays.fill(part, t);
            return part;
        }).toArray(long[][]::new);
        double rate = 8.0 * threads * each / median(() -> read(memory));
        return new Roofline(rate, "reading memory with " + threads + (threads == 1 ? " thread" : " threads"), OptionalDouble.empty(),
                "there is no library's product to compare with on the host");
    }

    /** Seconds in which all threads read their parts once. */
    private static double read(long[][] memory) {
        long[] sums = new long[memory.length];
        Thread[] readers = IntStream.range(0, memory.length).mapToObj(t -> Thread.ofPlatform().unstarted(() -> sums[t] = sum(memory[t]))).toArray(Thread[]::new);
        long start = System.nanoTime();
        for (Thread reader : readers) {
            reader.start();
        }
        try {
            for (Thread reader : readers) {
                reader.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while memory was read", e);
        }
        double seconds = (System.nanoTime() - start) * 1e-9;
        if (sums[0] != 0) {
            throw new AssertionError("thread 0 reads zeros, got " + sums[0]);
        }
        return seconds;
    }

    private static long sum(long[] values) {
        long sum = 0;
        for (long value : values) {
            sum += value;
        }
        return sum;
    }

    /** The median of some runs after two that warm up. */
    static double median(DoubleSupplier seconds) {
        seconds.getAsDouble();
        seconds.getAsDouble();
        return DoubleStream.generate(seconds).limit(RUNS).sorted().skip(RUNS / 2).findFirst().orElseThrow();
    }
}
