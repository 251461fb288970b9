package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import dev.t2l.EachBackend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Recorded work: its bits, what it refuses, and what it leaves behind. */
@Tag("cuda")
class CudaRecordingTest {
    private static final int N = 64;

    private final KernelData data = new KernelData();
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

    private static void needsGraphs() {
        assumeTrue(CudaRecording.ENABLED, "-Dt2l.cuda.graphs=false or -Dt2l.cuda.check=true");
    }

    @Test
    void replaysGiveTheBitsOfDirectCalls() {
        try (CudaPass pass = CudaPass.of(cuda); Recording recording = cuda.record(pass::run)) {
            float[][] want = pass.results(6);
            for (boolean lanes : new boolean[] {false, true}) {
                for (int i = 0; i < want.length; i++) {
                    try (Lane _ = lanes ? cuda.lane() : () -> { }) {
                        pass.set(i);
                        recording.run();
                        assertArrayEquals(want[i], pass.result(), "input " + i);
                    }
                }
            }
        }
    }

    @Test
    void aClosedRecordingRefuses() {
        needsGraphs();
        try (CudaPass pass = CudaPass.of(cuda)) {
            Recording recording = cuda.record(pass::run);
            recording.run();
            recording.run();
            recording.close();
            recording.close();
            assertThrows(IllegalStateException.class, recording::run);
        }
    }

    private void assertRefused(String part, Runnable misdeed) {
        try (CudaPass pass = CudaPass.of(cuda)) {
            float[][] want = pass.results(3);
            for (int bad = 0; bad < 2; bad++) { // while it is rehearsed, while it is captured
                int[] runs = {0};
                int when = bad;
                try (Recording recording = cuda.record(() -> {
                    pass.run();
                    if (runs[0]++ == when) {
                        misdeed.run();
                    }
                })) {
                    pass.set(0);
                    String message = "";
                    for (int i = 0; i <= bad; i++) {
                        try {
                            recording.run();
                        } catch (IllegalStateException e) {
                            message = e.getMessage();
                        }
                    }
                    assertTrue(message.contains(part) && message.contains("HINT"), message);
                    for (int i = 0; i < want.length; i++) { // the same recording, now that it behaves
                        pass.set(i);
                        recording.run();
                        assertArrayEquals(want[i], pass.result());
                    }
                }
            }
        }
    }

    @Test
    void whatCannotBeReplayedIsRefused() {
        needsGraphs();
        try (CudaPass other = CudaPass.of(cuda); Recording second = cuda.record(other::run); Memory pinned = cuda.pinned(10)) {
            MemorySegment heap = MemorySegment.ofArray(new float[N]);
            assertRefused("allocating memory", () -> cuda.allocate(10));
            assertRefused("allocating memory", () -> cuda.pinned(10));
            assertRefused("not pinned", () -> cuda.upload(other.out, heap));
            assertRefused("not pinned", () -> cuda.upload(other.out, data.normal(N).data()));
            assertRefused("downloading", () -> cuda.download(heap, other.out));
            assertRefused("waiting", cuda::await);
            assertRefused("another recording", second::run);
            assertEquals(10, pinned.segment().byteSize());
        }
    }

    @Test
    void scratchMemoryDoesNotGrowWhileItsAddressIsRecorded() {
        needsGraphs();
        var spec = new AttentionSpec(4, 2, 16, 0.25f, 0, 0);
        int[] runs = {0};
        try (Weights memory = new TensorTable().add("x", DType.F32, 20_000, N).carve(cuda::allocate)) {
            Tensor x = memory.get("x");
            Tensor keys = cuda.place(data.normal(3000, 32));
            int[] whole = new int[2 * 20_000];
            for (int i = 0; i < whole.length; i += 2) {
                whole[i + 1] = 3000;
            }
            Tensor ranges = cuda.place(Tensor.ofInts(whole, 20_000, 2));
            try (Recording recording = cuda.record(() -> {
                if (runs[0]++ != 1) {
                    cuda.decoding().attention(x.prefix(1, N), x.prefix(1, N), keys, keys, ranges.prefix(1, 2), spec);
                } else {
                    CudaScratch scratch = CudaDevice.open().scratch();
                    scratch.address(1L << 24);
                }
            })) {
                recording.run();
                String message = assertThrows(IllegalStateException.class, recording::run).getMessage();
                assertTrue(message.contains("scratch memory") && message.contains("HINT"), message);
                recording.run();
                recording.run();
                assertDoesNotThrow(() -> EachBackend.floats(cuda, x));
            }
        }
    }

    @Test
    void aReplayAllocatesNothing() {
        var beans = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (CudaPass pass = CudaPass.of(cuda); Recording recording = cuda.record(pass::run); Lane _ = cuda.lane()) {
            long left = Long.MAX_VALUE;
            for (int round = 0; round < 20 && left != 0; round++) {
                long before = beans.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 1000; i++) {
                    recording.run();
                }
                left = beans.getCurrentThreadAllocatedBytes() - before;
                cuda.await();
            }
            assertEquals(0, left, "bytes in 1000 replays");
        }
    }

    @Test
    void aThousandRecordingsAndLanesLeaveTheMemoryWhereItWas() throws Exception {
        long free = 0;
        for (int i = 0; i < 1000; i++) {
            try (Lane _ = cuda.lane(); CudaPass pass = CudaPass.of(cuda); Recording recording = cuda.record(pass::run)) {
                for (int run = 0; run < 3; run++) {
                    recording.run();
                }
                cuda.await();
            }
            if (i % 100 == 0) { // what is placed stays until the backend closes
                cuda.close();
                cuda = CudaBackend.open();
            }
            if (i == 100) {
                free = CudaDevice.open().free();
            }
        }
        cuda.close();
        assertTrue(CudaDevice.open().free() >= free - (8 << 20), () -> "bytes free after: " + CudaDevice.open().free());
    }
}
