package dev.t2l.backend;

import dev.t2l.tensor.Tensor;
import java.util.List;

/** Launches of {@code cuda/lora.cu} and {@code cuda/route.cu}. */
final class CudaLora {
    private static final int THREADS = 256;
    private static final int EIGHT = 8;
    /** More rows than this share the reading of A by eights. */
    private static final long FEW = 32;
    private static final int ROWS_OF_B = 16;
    /** Scores of a row lie in shared memory. */
    private static final long MOST_ROUTED = 8192;

    private final CudaDevice device;
    private final CudaFunction low;
    private final CudaFunction lowRows;
    private final CudaFunction add;
    private final CudaFunction route;

    CudaLora(CudaDevice device) {
        this.device = device;
        CudaModule module = device.module("lora");
        low = module.function("lora_low");
        lowRows = module.function("lora_low_rows");
        add = module.function("lora_add_rows");
        route = device.module("route").function("route");
    }

    /** Floats from one row and adapter of low to the next: the largest rank, rounded up to 16 bytes. */
    static long stride(LoraRows rows) {
        List<LoraRows.Factor> factors = rows.factors();
        int most = 0;
        for (int i = 0; i < factors.size(); i++) {
            most = Math.max(most, factors.get(i).rank());
        }
        return (most + 3L) / 4 * 4;
    }

    static long lowBytes(LoraRows rows, long stride) {
        return rows.slots().elements() * stride * 4;
    }

    /** {@code low[i, s] = A x[i]} for every row and entry of its list; f32 [n, k, stride]. */
    void low(Tensor x, LoraRows rows, long address, long stride) {
        long n = x.rows();
        int perRow = Math.toIntExact(rows.slots().cols());
        if (stride == 0) {
            return;
        }
        if (n <= FEW) {
            CudaLaunch launch = low.args().pointer(x).i64(x.cols()).i64(device.fault());
            pass(launch, rows, address, stride).run(Math.toIntExact(stride), (int) n, perRow, THREADS, 0);
        } else {
            CudaLaunch launch = lowRows.args().pointer(x).i64(n).i64(x.cols()).i64(device.fault());
            pass(launch, rows, address, stride)
                    .run(Math.toIntExact(CudaLinear.ceil(n, EIGHT)), Math.toIntExact(CudaLinear.ceil(stride, EIGHT)), perRow, THREADS, 0);
        }
    }

    /** {@code y[i] += weight * scale * B low[i, s]}. */
    void add(Tensor y, LoraRows rows, long address, long stride) {
        int together = y.rows() <= FEW ? 1 : ROWS_OF_B;
        CudaLaunch launch = add.args().pointer(y).i64(y.rows()).i64(y.cols()).i32(together);
        pass(launch, rows, address, stride)
                .run(Math.toIntExact(CudaLinear.ceil(y.cols(), THREADS)), Math.toIntExact(CudaLinear.ceil(y.rows(), together)), 1, THREADS, 0);
    }

    /** {@link Backend#route}: {@code cuda/route.cu}. */
    void route(Tensor x, LoraRows rows) {
        LoraRows.Routing routing = rows.routing();
        long perRow = rows.slots().cols();
        if (perRow > MOST_ROUTED) {
            throw new IllegalArgumentException("a row chooses among at most " + MOST_ROUTED + " adapters on a GPU, got lists for " + perRow);
        }
        route.args().pointer(rows.weights()).pointer(x).i64(x.cols()).pointer(routing.table()).i64(routing.prototypes().size()).pointer(rows.slots())
                .pointer(routing.given()).pointer(routing.choices()).i64(perRow).i64(device.fault())
                .run(Math.toIntExact(x.rows()), 1, 1, THREADS, Math.toIntExact(4 * perRow));
    }

    /** The fields of {@code struct lora_rows} of {@code cuda/lora.cuh}, a kernel's last parameter; rows may be null. */
    CudaLaunch pass(CudaLaunch launch, LoraRows rows, long address, long stride) {
        if (rows == null || stride == 0) {
            return launch.i64(0).i64(0).i64(0).i64(0).i64(0).i64(0).i64(0).i64(0);
        }
        return launch.pointer(rows.table()).i64(rows.factors().size()).pointer(rows.slots()).pointer(rows.weights()).i64(rows.slots().cols())
                .i64(rows.headDim()).i64(address).i64(stride);
    }
}
