package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.Locale;

/**
 * Products for many rows by a library, with activations rounded to bf16: {@code -Dt2l.cuda.gemm=cublaslt}. bf16 weights as they lie,
 * quantised ones turned into bf16 first; f32 and f16 weights stay with {@code cuda/lineartiles.cu}, where {@code own}, the default,
 * has them all, without that rounding.
 */
final class CudaDense {
    private static final int THREADS = 256;
    private static final int EACH = 8;
    private static final long MOST_BLOCKS = 8192;
    private static final int BF16 = KernelTypes.code(DType.BF16);

    private final CudaDevice device;
    private final CudaBlasLt library;
    private final CudaFunction rounding;
    private final CudaFunction addBias;
    private final CudaFunction[] conversions = new CudaFunction[DType.values().length];

    private CudaDense(CudaDevice device) {
        this.device = device;
        library = new CudaBlasLt(device);
        CudaModule module = device.module("convert");
        rounding = module.function("convert_f32");
        addBias = module.function("add_bias");
        for (DType type : new DType[] {DType.Q4_0, DType.Q4_1, DType.Q8_0, DType.Q4_K, DType.Q6_K}) {
            conversions[KernelTypes.code(type)] = module.function("convert_" + type.name().toLowerCase(Locale.ROOT));
        }
    }

    /**
     * What the property asks for; null for our own products.
     *
     * @throws BackendUnavailableException if it asks for what is not there
     */
    static CudaDense wanted(CudaDevice device) {
        String property = System.getProperty("t2l.cuda.gemm", "own");
        return switch (property) {
            case "own" -> null;
            case "cublaslt" -> new CudaDense(device);
            default -> throw new BackendUnavailableException("-Dt2l.cuda.gemm=" + property + ": wanted own or cublaslt");
        };
    }

    /** By the weight and where results lie alone, never by the number of rows. */
    boolean takes(int type, Tensor w, Tensor y) {
        return type >= BF16 && w.cols() % EACH == 0 && w.rows() % EACH == 0 && y.address() % 16 == 0 && (type > BF16 || w.address() % 16 == 0);
    }

    void product(int type, Tensor y, Tensor x, Tensor w, Tensor bias) {
        long rounded = (x.elements() * 2 + 255) / 256 * 256;
        long converted = type == BF16 ? 0 : w.elements() * 2;
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            long workspace = scratch.address(CudaBlasLt.WORKSPACE + rounded + converted);
            long to = workspace + CudaBlasLt.WORKSPACE;
            rounding.args().i64(to).pointer(x).i64(x.elements()).run(blocks(x.elements() / EACH), 1, 1, THREADS, 0);
            long weights = w.address();
            if (type != BF16) {
                weights = to + rounded;
                conversions[type].args().i64(weights).pointer(w).i64(w.elements()).run(blocks(w.elements() / EACH), 1, 1, THREADS, 0);
            }
            library.product(y.address(), to, weights, x.rows(), w.cols(), w.rows(), workspace);
            if (bias != null) {
                addBias.args().pointer(y).i64(y.rows()).i64(y.cols()).pointer(bias).i32(CudaLinear.biasType(bias))
                        .run(blocks(y.cols()), (int) Math.min(y.rows(), 64), 1, THREADS, 0);
            }
        }
    }

    private static int blocks(long threads) {
        return (int) Math.min(MOST_BLOCKS, CudaLinear.ceil(threads, THREADS));
    }
}
