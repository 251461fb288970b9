package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.OptionalDouble;
import java.util.SplittableRandom;

/** {@link Roofline} of a GPU: the driver's copy from device to device, and cublasLt's bf16 product. */
final class CudaRoofline {
    private static final long COPIED = 1L << 30;
    private static final int COPIES = 8;
    private static final long SIZE = 8192;
    private static final int PRODUCTS = 8;
    private static final long RANDOM = 32 << 20;

    private CudaRoofline() {
    }

    static Roofline measure(CudaDevice device) {
        double copy = copy(device, Math.min(COPIED, device.free() / 4));
        try {
            return new Roofline(copy, "a device-to-device copy, read and written", OptionalDouble.of(product(device)), CudaBlasLt.open(device) + ", bf16, " + SIZE + "^3");
        } catch (BackendUnavailableException | CudaException e) {
            return new Roofline(copy, "a device-to-device copy, read and written", OptionalDouble.empty(), "no product to compare with: " + e.getMessage());
        }
    }

    private static double copy(CudaDevice device, long bytes) {
        try (Memory from = CudaMemory.lasting(device, bytes, "a benchmark's copy"); Memory to = CudaMemory.lasting(device, bytes, "a benchmark's copy")) {
            fill(device, from.segment().address(), bytes);
            double seconds = Roofline.median(() -> seconds(device, COPIES, () -> copy(device, to.segment().address(), from.segment().address(), bytes)));
            return 2.0 * bytes / seconds;
        }
    }

    private static double product(CudaDevice device) {
        long matrix = 2 * SIZE * SIZE;
        var library = CudaBlasLt.open(device);
        try (Memory x = CudaMemory.lasting(device, matrix, "a benchmark's product"); Memory w = CudaMemory.lasting(device, matrix, "a benchmark's product");
                Memory y = CudaMemory.lasting(device, 2 * matrix, "a benchmark's product");
                Memory workspace = CudaMemory.lasting(device, CudaBlasLt.WORKSPACE, "a benchmark's product")) {
            fill(device, x.segment().address(), matrix);
            fill(device, w.segment().address(), matrix);
            var size = new CudaBlasLt.Size(SIZE, SIZE, DType.F32, 1, false);
            var at = new CudaBlasLt.Operands(y.segment().address(), x.segment().address(), w.segment().address(), 0, 0);
            double seconds = Roofline.median(() -> seconds(device, PRODUCTS, () -> library.product(size, at, SIZE, false, workspace.segment().address())));
            return 2.0 * SIZE * SIZE * SIZE / seconds;
        }
    }

    /** Of one of {@code times} in a row. */
    private static double seconds(CudaDevice device, int times, Runnable work) {
        device.await();
        long start = System.nanoTime();
        for (int i = 0; i < times; i++) {
            work.run();
        }
        device.await();
        return (System.nanoTime() - start) * 1e-9 / times;
    }

    private static void copy(CudaDevice device, long to, long from, long bytes) {
        device.makeCurrent();
        try {
            int result = (int) CudaCalls.COPY.invokeExact(to, from, bytes, device.stream());
            if (result != 0) {
                throw device.failure("copying " + bytes + " bytes on the device", result);
            }
        } catch (Throwable t) {
            throw CudaCalls.unexpected(t);
        }
    }

    /** Random bf16 values between -1 and 1: products of zeros run faster than those of data. */
    private static void fill(CudaDevice device, long address, long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment values = arena.allocate(RANDOM, 64);
            var random = new SplittableRandom(address);
            for (long i = 0; i < RANDOM / 2; i++) {
                values.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (Float.floatToRawIntBits((float) (2 * random.nextDouble() - 1)) >>> 16));
            }
            for (long at = 0; at < bytes; at += RANDOM) {
                device.transfer().upload(address + at, values, Math.min(RANDOM, bytes - at));
            }
        }
    }
}
