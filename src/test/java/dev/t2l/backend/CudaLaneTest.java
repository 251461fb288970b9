package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.EachBackend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Streams of several threads, and memory that host and device share. */
@Tag("cuda")
class CudaLaneTest {
    private static final int N = 64;

    private Backend cuda;

    @BeforeEach
    void open() {
        cuda = CudaPass.open();
    }

    @AfterEach
    void close() {
        if (cuda != null) {
            cuda.close();
        }
    }

    @Test
    void lanesOfSeveralThreadsGiveTheBitsOfOne() throws Exception {
        try (CudaPass first = CudaPass.of(cuda); ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            float[][] want = first.results(40);
            List<Future<?>> done = new ArrayList<>();
            for (int t = 0; t < 40; t++) { // more than are kept
                boolean recorded = t % 2 == 0;
                done.add(threads.submit(() -> {
                    for (int round = 0; round < 3; round++) {
                        try (Lane _ = cuda.lane(); CudaPass own = first.beside(); Recording recording = cuda.record(own::run)) {
                            for (int i = 0; i < want.length; i++) {
                                own.set(i);
                                if (recorded) {
                                    recording.run();
                                } else {
                                    own.run();
                                }
                                assertArrayEquals(want[i], own.result());
                            }
                        }
                    }
                }));
            }
            for (Future<?> d : done) {
                d.get();
            }
        }
    }

    /** Long enough on the device that it would be missed, were it not waited for. */
    @Test
    void whatALaneMadeIsSeenByAllWhoComeLater() throws Exception {
        int n = 1 << 22;
        float[] ones = new float[n];
        Arrays.fill(ones, 1);
        try (Weights memory = new TensorTable().add("one", DType.F32, n).add("sum", DType.F32, n).add("copy", DType.F32, n).carve(cuda::allocate);
                ExecutorService threads = Executors.newSingleThreadExecutor()) {
            Tensor one = memory.get("one");
            Tensor sum = memory.get("sum");
            Tensor copy = memory.get("copy");
            cuda.upload(one, Tensor.ofFloats(ones, n).data());
            Runnable add = () -> {
                for (int i = 0; i < 50; i++) {
                    cuda.add(sum, one, 1);
                }
            };
            for (int round = 0; round < 5; round++) {
                try (Lane _ = cuda.lane()) { // behind the main stream
                    add.run();
                }
                cuda.add(sum, one, 1); // behind the lane
                threads.submit(() -> {
                    try (Lane _ = cuda.lane()) {
                        add.run();
                        cuda.copy(copy, sum);
                    }
                }).get();
                assertEquals(101f * (round + 1), EachBackend.floats(cuda, copy)[n - 1]);
            }
        }
    }

    /** A lane, though opened before, frees behind whatever closed lanes still do with the memory. */
    @Test
    void memoryIsFreedAfterItsLastUse() throws Exception {
        int n = 1 << 22;
        float[] minus = new float[n];
        Arrays.fill(minus, -1);
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            for (int round = 0; round < 10; round++) {
                Weights result = new TensorTable().add("y", DType.F32, n).carve(cuda::allocate);
                Weights passing = new TensorTable().add("x", DType.F32, n).carve(cuda::allocate);
                Lane early = other.submit(cuda::lane).get();
                try (Lane _ = cuda.lane()) {
                    for (int i = 0; i < 50; i++) {
                        cuda.add(result.get("y"), passing.get("x"), 1);
                    }
                }
                other.submit(() -> {
                    passing.close();
                    try (Weights next = new TensorTable().add("x", DType.F32, n).carve(cuda::allocate)) {
                        cuda.upload(next.get("x"), MemorySegment.ofArray(minus));
                        cuda.await();
                    }
                    early.close();
                }).get();
                assertArrayEquals(new float[n], EachBackend.floats(cuda, result.get("y")));
                result.close();
            }
        }
    }

    @Test
    void lanesAreOfTheirThread() throws Exception {
        CudaDevice device = CudaDevice.open();
        CudaStream main = device.current();
        Lane lane = cuda.lane();
        CudaStream own = device.current();
        assertTrue(own != main && own.scratch() != main.scratch());
        try (Lane _ = cuda.lane()) {
            assertEquals(own, device.current(), "a lane within a lane");
        }
        assertEquals(own, device.current());
        try (ExecutorService threads = Executors.newSingleThreadExecutor()) {
            assertEquals(main, threads.submit(device::current).get());
            assertThrows(Exception.class, () -> threads.submit(lane::close).get());
        }
        lane.close();
        lane.close();
        assertEquals(main, device.current());
    }

    @Test
    void hostAndDeviceShareThePinnedMemory() {
        Memory memory = cuda.pinned(8 * N);
        Tensor both = Tensor.of(DType.F32, memory.segment(), 2, N);
        assertTrue(both.onHost());
        assertArrayEquals(new float[2 * N], both.toFloats());
        Tensor x = both.get(0);
        Tensor y = both.get(1);
        for (int i = 0; i < N; i++) {
            x.setFloat(i, i);
        }
        for (int i = 0; i < 3; i++) {
            cuda.add(y, x, 2);
        }
        cuda.await();
        for (int i = 0; i < N; i++) {
            assertEquals(6f * i, y.getFloat(i));
        }
        CudaPinned pinned = CudaDevice.open().pinned();
        long address = memory.segment().address();
        assertTrue(pinned.holds(address, 8 * N) && pinned.holds(address + 8 * N - 1, 1));
        assertFalse(pinned.holds(address, 8 * N + 1) || pinned.holds(address - 1, 2) || pinned.holds(0, 1));
        memory.close();
        memory.close();
        assertFalse(pinned.holds(address, 1));
        assertThrows(IllegalStateException.class, x::address);
        assertThrows(IllegalStateException.class, () -> cuda.add(y, x, 1));
    }

    @Test
    void manyPinnedBlocksAreToldApart() {
        CudaPinned pinned = CudaDevice.open().pinned();
        List<Memory> blocks = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            blocks.add(cuda.pinned(100 + i));
        }
        for (int i = 0; i < 100; i += 2) {
            blocks.get(i).close();
        }
        for (int i = 1; i < 100; i += 2) {
            MemorySegment block = blocks.get(i).segment();
            assertTrue(pinned.holds(block.address(), 100 + i));
            assertFalse(pinned.holds(block.address(), 101 + i));
        }
        blocks.forEach(Memory::close);
    }

    @Test
    void copiesAreOfOneSize() {
        try (Weights memory = new TensorTable().add("x", DType.F32, 3).add("y", DType.F32, 4).carve(cuda::allocate)) {
            assertThrows(IllegalArgumentException.class, () -> cuda.copy(memory.get("x"), memory.get("y")));
        }
    }

    /** More lanes at once than are kept: the others' streams are given back. */
    @Test
    void manyLanesAtOnce() throws Exception {
        int count = 50;
        var opened = new CountDownLatch(count);
        try (CudaPass first = CudaPass.of(cuda); ExecutorService threads = Executors.newFixedThreadPool(count)) {
            float[] want = first.results(1)[0];
            List<Future<float[]>> results = new ArrayList<>();
            for (int t = 0; t < count; t++) {
                results.add(threads.submit(() -> {
                    try (Lane _ = cuda.lane(); CudaPass own = first.beside()) {
                        opened.countDown();
                        opened.await();
                        return own.results(1)[0];
                    }
                }));
            }
            for (Future<float[]> result : results) {
                assertArrayEquals(want, result.get());
            }
        }
    }
}
