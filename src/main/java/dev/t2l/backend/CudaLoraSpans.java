package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Launches of {@code cuda/loraspans.cu}: all spans together. */
final class CudaLoraSpans {
    // as in the kernels
    private static final int EIGHT = 8;
    private static final int LOW_THREADS = 128;
    private static final int TILE_THREADS = 256;
    private static final int TILE_ROWS = 16;
    private static final int OUTER_THREADS = 128;
    private static final int OUTER_ROWS = 16;
    private static final int PIECE_THREADS = 256;
    private static final int THREADS = 256;
    /** Rows of a piece of inputs so wide, and of others. */
    private static final int WIDE = 1024;
    private static final int WIDE_PIECE = 64;
    private static final int PIECE = 32;

    /** Kernels for activations of one type. */
    private record Typed(CudaFunction low, CudaFunction outer, CudaFunction pieces) {
        static Typed of(CudaModule module, String type) {
            return new Typed(module.function("lora_low_" + type), module.function("lora_outer_" + type), module.function("lora_pieces_" + type));
        }
    }

    private final CudaDevice device;
    private final CudaFunction turn;
    private final CudaFunction tiles;
    private final CudaFunction gradients;
    private final Typed f32;
    private final Typed bf16;

    CudaLoraSpans(CudaDevice device) {
        this.device = device;
        CudaModule module = device.module("loraspans");
        turn = module.function("lora_turn");
        tiles = module.function("lora_low_tiles");
        gradients = module.function("lora_gradients");
        f32 = Typed.of(module, "f32");
        bf16 = Typed.of(module, "bf16");
    }

    /** Whether there are kernels for activations of these types, of which x and dy, if there is one, are read together. */
    static boolean takes(Tensor to, Tensor dy, Tensor x) {
        return (to == null || plain(to)) && plain(x) && (dy == null || dy.dtype() == x.dtype());
    }

    private static boolean plain(Tensor t) {
        return t.dtype() == DType.F32 || t.dtype() == DType.BF16;
    }

    /** What a pass keeps from dropout. */
    private record Dropping(float probability, long seed) {
        boolean any() {
            return probability > 0;
        }

        CudaLaunch pass(CudaLaunch launch) {
            return launch.i64(Integer.toUnsignedLong(Noise.threshold(probability))).i64(Float.floatToRawIntBits(1 / (1 - probability))).i64(seed);
        }
    }

    /** One pass's sizes, and the addresses of its scratch memory. */
    private record Pass(LoraGradients lora, Dropping dropping, long n, long in, long out, long stride, long piece, long start) {

        static Pass of(LoraGradients lora, Dropping dropping, long n, long in, long out) {
            int rank = lora.factors().stream().mapToInt(LoraRows.Factor::rank).max().orElse(0);
            return new Pass(lora, dropping, n, in, out, CudaLinear.ceil(rank, EIGHT) * EIGHT, in > WIDE ? WIDE_PIECE : PIECE, 0);
        }

        Pass at(long address) {
            return new Pass(lora, dropping, n, in, out, stride, piece, address);
        }

        int count() {
            return lora.factors().size();
        }

        int eights() {
            return Math.toIntExact(stride / EIGHT);
        }

        long pieces() {
            return CudaLinear.ceil(lora.rows(), piece);
        }

        private static long round(long bytes) {
            return (bytes + 255) / 256 * 256;
        }

        private long low() {
            return round(start + 4 * count() * stride * out);
        }

        private long t() {
            return round(low() + 4 * n * stride);
        }

        private long kept() {
            return round(t() + 4 * n * stride);
        }

        private boolean keeps() {
            return dropping.any() && in % 4 == 0;
        }

        private long partial() {
            return round(kept() + (keeps() ? n * in / 4 : 0));
        }

        /** Without a backward, nothing is summed over rows. */
        long end(boolean backward) {
            return partial() + (backward ? 4 * count() * pieces() * stride * (in + out) : 0);
        }

        /** The fields of {@code struct lora_spans}. */
        CudaLaunch pass(CudaLaunch launch, long fault) {
            launch.pointer(lora.table()).i64(count()).pointer(lora.spans()).i64(n).i64(in).i64(out).i64(lora.headDim()).i64(stride).i64(piece).i64(pieces());
            return dropping.pass(launch).i64(start).i64(low()).i64(t()).i64(keeps() ? kept() : 0).i64(partial()).i64(fault);
        }
    }

    /** {@link Mixed#lora}. */
    void forward(Tensor y, Tensor x, LoraSpans spans) {
        Pass sizes = Pass.of(spans.gradients(), new Dropping(spans.dropout(), spans.seed()), x.rows(), x.cols(), y.cols());
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            Pass pass = sizes.at(scratch.address(sizes.end(false)));
            begin(pass, x, x, 1);
            outer(pass, y, false);
        }
    }

    /** {@link Mixed#loraBackward}. */
    void backward(Tensor dx, Tensor dy, Tensor x, LoraSpans spans) {
        Pass sizes = Pass.of(spans.gradients(), new Dropping(spans.dropout(), spans.seed()), x.rows(), x.cols(), dy.cols());
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            Pass pass = sizes.at(scratch.address(sizes.end(true)));
            begin(pass, x, dy, 2);
            if (dx != null) {
                outer(pass, dx, true);
            }
            long widest = Math.max(pass.in(), pass.out());
            long fours = CudaLinear.ceil(widest, 4);
            int threads = (int) Math.min(PIECE_THREADS, CudaLinear.ceil(fours, 32) * 32);
            pass.pass(typed(x).pieces().args().pointer(x).pointer(dy), device.fault())
                    .run(blocks(fours, threads), Math.toIntExact(pass.pieces()), 2 * pass.count() * pass.eights(), threads, 0);
            pass.pass(gradients.args(), device.fault()).run(blocks(widest, THREADS), Math.toIntExact(pass.count() * pass.stride()), 2, THREADS, 0);
        }
    }

    /** Turns B, then makes the low-rank rows of x, and of dy if {@code both} is 2. */
    private void begin(Pass pass, Tensor x, Tensor dy, int both) {
        pass.pass(turn.args(), device.fault()).run(blocks(pass.out(), THREADS), pass.count(), 1, THREADS, 0);
        boolean tile = tiles(x) && tiles(dy);
        pass.pass((tile ? tiles : typed(x).low()).args().pointer(x).pointer(dy), device.fault())
                .run(blocks(pass.lora().rows(), tile ? TILE_ROWS : EIGHT), pass.count() * pass.eights(), both, tile ? TILE_THREADS : LOW_THREADS, 0);
    }

    /** Whether the tensor cores read it: whole eights of bf16. */
    private static boolean tiles(Tensor t) {
        return t.dtype() == DType.BF16 && t.cols() % EIGHT == 0 && t.address() % 16 == 0;
    }

    private void outer(Pass pass, Tensor to, boolean back) {
        pass.pass(typed(to).outer().args().pointer(to).i32(back ? 1 : 0), device.fault())
                .run(blocks(to.cols(), 4 * OUTER_THREADS), blocks(pass.n(), OUTER_ROWS), 1, OUTER_THREADS, 0);
    }

    private Typed typed(Tensor t) {
        return t.dtype() == DType.F32 ? f32 : bf16;
    }

    private static int blocks(long n, int each) {
        return Math.toIntExact(CudaLinear.ceil(n, each));
    }
}
