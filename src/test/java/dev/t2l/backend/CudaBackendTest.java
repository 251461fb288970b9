package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import com.sun.management.ThreadMXBean;
import dev.t2l.EachBackend;
import dev.t2l.LanguageModel;
import dev.t2l.Request;
import dev.t2l.Sampling;
import dev.t2l.TextToLora;
import dev.t2l.Tiny;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import jcuda.JCudaVersion;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The GPU's memory, transfers, threads and errors; kernels are tested elsewhere. */
@Tag("cuda")
class CudaBackendTest {
    private final KernelData data = new KernelData();

    @BeforeEach
    void needsAGpu() {
        try {
            CudaDevice.open();
        } catch (BackendUnavailableException e) {
            if (EachBackend.required("cuda")) {
                fail(e);
            }
            abort(e.getMessage());
        }
    }

    private static Weights zeros(Backend backend, long n) {
        return new TensorTable().add("x", DType.F32, n).carve(backend::allocate);
    }

    @Test
    void memoryIsZeroedAndItsUseAfterCloseThrows() {
        try (Backend cuda = CudaBackend.open()) {
            for (int round = 0; round < 3; round++) {
                Weights memory = zeros(cuda, 100_001);
                Tensor x = memory.get("x");
                assertArrayEquals(new float[100_001], EachBackend.floats(cuda, x));
                cuda.upload(x, data.normal(100_001).data());
                memory.close();
                memory.close();
                assertThrows(IllegalStateException.class, x::address);
                assertThrows(IllegalStateException.class, () -> cuda.softcap(x, 1));
            }
        }
    }

    @Test
    void aClosedBackendRefuses() {
        Backend cuda = CudaBackend.open();
        Tensor placed = cuda.place(data.normal(3));
        Tensor x = data.normal(3);
        cuda.close();
        cuda.close();
        assertThrows(IllegalStateException.class, placed::address);
        assertThrows(IllegalStateException.class, () -> cuda.softcap(x, 1));
        assertThrows(IllegalStateException.class, () -> cuda.allocate(1));
        assertThrows(IllegalStateException.class, () -> cuda.decoding().softcap(x, 1));
    }

    @Test
    void placedTensorsHoldTheirBytes() {
        try (Backend cuda = CudaBackend.open(); Placement placement = cuda.placement()) {
            List<Tensor> host = new ArrayList<>();
            List<Tensor> there = new ArrayList<>();
            for (DType type : List.of(DType.F32, DType.Q4_K, DType.BF16, DType.Q6_K, DType.Q8_0)) {
                for (long rows : new long[] {1, 3, 3000}) {
                    host.add(data.weights(type, rows, 512));
                    there.add(placement.place(host.getLast()));
                    assertEquals(0, there.getLast().address() % 256);
                }
            }
            for (int i = 0; i < host.size(); i++) {
                assertArrayEquals(host.get(i).toFloats(), EachBackend.floats(cuda, there.get(i)));
            }
            assertEquals(there.getFirst(), placement.place(there.getFirst()), "what is there stays there");
            Tensor other = placement.place(data.weights(DType.Q5_K, 3, 256));
            assertEquals(DType.F32, other.dtype());
        }
    }

    /** More of them than the page-locked memory holds at once, from memory that changes right after the call. */
    @Test
    void smallUploadsDoNotOvertakeEachOther() {
        int n = 50_000;
        try (Backend cuda = CudaBackend.open(); Weights memory = zeros(cuda, 100L * n)) {
            Tensor all = memory.get("x").reshape(100, n);
            Tensor source = KernelData.zeros(n);
            for (int i = 0; i < 100; i++) {
                for (int j = 0; j < n; j += 999) {
                    source.setFloat(j, i + j);
                }
                cuda.upload(all.get(i), source.data());
            }
            for (int i = 0; i < 100; i++) {
                float[] got = EachBackend.floats(cuda, all.get(i));
                for (int j = 0; j < n; j++) {
                    assertEquals(j % 999 == 0 ? i + j : 0, got[j]);
                }
            }
        }
    }

    @Test
    void largeAndHeapMemoryGoesBothWays() {
        int n = 3_000_001;
        float[] values = data.normal(n).toFloats();
        try (Backend cuda = CudaBackend.open(); Weights memory = zeros(cuda, n)) {
            Tensor x = memory.get("x");
            cuda.upload(x, MemorySegment.ofArray(values));
            float[] back = new float[n];
            cuda.download(MemorySegment.ofArray(back), x);
            assertArrayEquals(values, back);
            for (int i = 0; i < n; i++) {
                back[i] = -values[i];
            }
            cuda.upload(x, Tensor.ofFloats(back, n).data());
            assertArrayEquals(back, EachBackend.floats(cuda, x));
        }
    }

    @Test
    void tooMuchIsRefusedWithNumbers() {
        try (Backend cuda = CudaBackend.open()) {
            String message = assertThrows(CudaException.class, () -> cuda.allocate(1L << 48)).getMessage();
            assertTrue(message.contains("asked for 268435456.0 MiB") && message.contains("free"), message);
            zeros(cuda, 10).close();
        }
    }

    @Test
    void anIndexOutsideItsTableIsReportedOnce() {
        try (Backend cuda = CudaBackend.open(); Weights memory = zeros(cuda, 8)) {
            Tensor out = memory.get("x").reshape(1, 8);
            Tensor table = cuda.place(data.normal(4, 8));
            cuda.gather(out, 0, table, cuda.place(Tensor.ofInts(new int[] {4}, 1)), 1);
            String message = assertThrows(IndexOutOfBoundsException.class, () -> EachBackend.floats(cuda, out)).getMessage();
            assertTrue(message.contains("gather"), message);
            cuda.gather(out, 0, table, cuda.place(Tensor.ofInts(new int[] {3}, 1)), 1);
            assertEquals(8, EachBackend.floats(cuda, out).length);
        }
    }

    @Test
    void ropeStoreReportsAnIndexOutsideTheCache() {
        try (Backend cuda = CudaBackend.open(); Weights memory = zeros(cuda, 8)) {
            Tensor x = memory.get("x").reshape(1, 8);
            Tensor row = cuda.place(data.normal(1, 8));
            cuda.ropeStore(cuda.place(data.normal(1, 8)), row, row, cuda.place(data.normal(1, 4)), false, x, x, cuda.place(Tensor.ofInts(new int[] {1}, 1)));
            String message = assertThrows(IndexOutOfBoundsException.class, () -> EachBackend.floats(cuda, x)).getMessage();
            assertTrue(message.contains("scatter"), message);
        }
    }

    @Test
    void virtualThreadsShareTheDevice() throws Exception {
        try (Backend cuda = CudaBackend.open(); var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<float[]>> sums = new ArrayList<>();
            for (int t = 0; t < 50; t++) {
                float step = t;
                sums.add(threads.submit(() -> {
                    try (Weights memory = zeros(cuda, 1000)) {
                        Tensor one = cuda.place(Tensor.ofFloats(new float[] {step}, 1, 1));
                        Tensor ids = cuda.place(Tensor.ofInts(new int[1], 1));
                        Tensor x = memory.get("x");
                        for (int i = 0; i < 1000; i++) {
                            cuda.gather(x.reshape(1, 1000), i, one, ids, 1);
                        }
                        cuda.add(x, x, 1);
                        return EachBackend.floats(cuda, x);
                    }
                }));
            }
            for (int t = 0; t < sums.size(); t++) {
                float[] want = new float[1000];
                Arrays.fill(want, 2 * t);
                assertArrayEquals(want, sums.get(t).get());
            }
        }
    }

    /** Kernels, once compiled by the JVM, are launched without leaving anything on its heap. */
    @Test
    void aRecordedStepAllocatesNothing() {
        var beans = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (Backend backend = CudaBackend.open(); Memory pinned = backend.pinned(4); Weights memory = new TensorTable().add("q", DType.F32, 1, 64).add("angles", DType.F32, 1, 16).carve(backend::allocate)) {
            Backend cuda = backend.decoding();
            Tensor q = memory.get("q");
            Tensor angles = memory.get("angles");
            Tensor x = cuda.place(data.normal(1, 64));
            Tensor w = cuda.place(data.weights(DType.Q4_1, 64, 64));
            Tensor norm = cuda.place(data.normal(64));
            Tensor position = cuda.place(Tensor.ofInts(new int[] {3}, 1));
            Tensor invFreq = cuda.place(data.normal(8));
            Tensor keys = cuda.place(data.normal(20, 32));
            Tensor range = cuda.place(Tensor.ofInts(new int[] {0, 20}, 1, 2));
            MemorySegment ids = pinned.segment();
            var spec = new AttentionSpec(4, 2, 16, 0.25f, 0, 0);
            Recording step = cuda.record(() -> {
                cuda.upload(position, ids);
                cuda.gather(q, 0, w, position, 1);
                cuda.rmsNorm(q, x, norm, 1e-5f, 0);
                cuda.linear(q, x, w, norm);
                cuda.ropeAngles(angles, position, invFreq, 1);
                cuda.rope(q, angles, false);
                cuda.attention(q, q, keys, keys, range, spec);
                cuda.gated(q, q, x, Activation.SILU);
                cuda.add(q, x, 1);
            });
            long left = Long.MAX_VALUE;
            for (int round = 0; round < 20 && left != 0; round++) {
                long before = beans.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 2000; i++) {
                    step.run();
                }
                left = beans.getCurrentThreadAllocatedBytes() - before;
            }
            step.close();
            assertEquals(0, left, "bytes in 2000 steps");
        }
    }

    @Test
    void aThousandCyclesLeaveTheMemoryWhereItWas() {
        long free = 0;
        for (int i = 0; i < 1000; i++) {
            try (Backend cuda = Backend.open("cuda");
                    LanguageModel lm = LanguageModel.load(Tiny.BASE, cuda);
                    TextToLora t2l = TextToLora.load(Tiny.T2L, lm);
                    var adapter = t2l.generate("Answer with yes or no.")) {
                lm.generate(Request.raw("one two", adapter, Sampling.greedy().withMaxTokens(2)));
            }
            if (i == 10) {
                free = CudaDevice.open().free();
            }
        }
        assertTrue(CudaDevice.open().free() >= free - (2 << 20), () -> "bytes free after: " + CudaDevice.open().free());
    }

    /** Opens the backend and prints what it is, and what some of its kernels compute. */
    static final class Describe {
        public static void main(String... args) {
            try (Backend cuda = CudaBackend.open()) {
                System.out.println(results(cuda));
                System.out.println(cuda.description());
                System.out.println(cuda.details());
            }
        }

        /** Hashes of the bits that a norm, a product of many rows and one of few give. */
        static String results(Backend cuda) {
            int rows = 5;
            int d = 320;
            Tensor x = cuda.place(values(rows, d));
            Tensor w = cuda.place(values(d, d));
            try (Weights memory = new TensorTable().add("norm", DType.F32, rows, d).add("many", DType.F32, rows, d).add("few", DType.F32, rows, d).carve(cuda::allocate)) {
                cuda.rmsNorm(memory.get("norm"), x, w.get(0), 1e-5f, 0);
                cuda.linear(memory.get("many"), x, w, null);
                cuda.decoding().linear(memory.get("few"), x, w, null);
                return "bits" + memory.tensors().values().stream().map(t -> " " + Arrays.hashCode(floats(cuda, t))).collect(Collectors.joining());
            }
        }

        private static Tensor values(int rows, int d) {
            float[] values = new float[rows * d];
            for (int i = 0; i < values.length; i++) {
                values[i] = (i * 7919 % 1009 - 504) / 331f;
            }
            return Tensor.ofFloats(values, rows, d);
        }

        private static float[] floats(Backend cuda, Tensor tensor) {
            float[] values = new float[(int) tensor.elements()];
            cuda.download(MemorySegment.ofArray(values), tensor);
            return values;
        }
    }

    /** The folders and jars that these are in. */
    private static String classPath(Object... classesAndResources) {
        return Arrays.stream(classesAndResources).map(o -> o instanceof Class<?> c ? c.getProtectionDomain().getCodeSource().getLocation().getPath()
                : String.valueOf(CudaBackendTest.class.getClassLoader().getResource((String) o)).replaceAll("^jar:file:|!.*", ""))
                .collect(Collectors.joining(System.getProperty("path.separator")));
    }

    /** In a JVM of its own, for the property is read when a kernel is loaded: it says so with the seconds, and the bits stay. */
    @Test
    void theDriverCompilesThePtx() throws Exception {
        String path = classPath(Describe.class, CudaDevice.class, JCudaDriver.class, "lib/libJCudaDriver-" + JCudaVersion.get() + "-linux-x86_64.so");
        Path out = Files.createTempFile("ptx", ".txt");
        try {
            Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp", path, "--enable-native-access=ALL-UNNAMED",
                    "-Dt2l.cuda.ptx=true", Describe.class.getName()).redirectOutput(out.toFile()).redirectErrorStream(true).start();
            int code = process.waitFor();
            String told = Files.readString(out);
            assertTrue(code == 0 && told.contains("kernels compiled from PTX in "), told);
            assertTrue(told.contains("cuda/rmsnorm.cu compiled from PTX in "), told);
            assertTrue(told.contains("kernels=compiled from PTX by the driver in "), told);
            try (Backend cuda = CudaBackend.open()) {
                assertTrue(told.contains(Describe.results(cuda)), () -> told + " but as built " + Describe.results(cuda));
                assertEquals("as built", cuda.details().get("kernels"));
            }
        } finally {
            Files.delete(out);
        }
    }
}
