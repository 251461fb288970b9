package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/** Launches of {@code cuda/lorabackward.cu}: all spans together. */
final class CudaLoraBackward {
    // as in the kernels
    private static final int EIGHT = 8;
    private static final int LOW_THREADS = 128;
    private static final int WIDE = 512;
    private static final int WIDE_THREADS = 128;
    private static final int DX_ROWS = 16;
    private static final int PIECE = 64;
    private static final int THREADS = 256;

    private final CudaDevice device;
    private final CudaFunction turn;
    private final CudaFunction low;
    private final CudaFunction dx;
    private final CudaFunction pieces;
    private final CudaFunction gradients;

    CudaLoraBackward(CudaDevice device) {
        this.device = device;
        CudaModule module = device.module("lorabackward");
        turn = module.function("lora_turn");
        low = module.function("lora_low_spans");
        dx = module.function("lora_dx");
        pieces = module.function("lora_pieces");
        gradients = module.function("lora_gradients");
    }

    /** One call's sizes, and the addresses of its scratch memory. */
    private record Call(LoraGradients lora, long n, long in, long out, long stride, long pieces, long turned, long low, long t, long partial, long end) {

        static Call of(LoraGradients lora, long n, long in, long out) {
            int rank = lora.factors().stream().mapToInt(LoraRows.Factor::rank).max().orElse(0);
            long stride = CudaLinear.ceil(rank, EIGHT) * EIGHT;
            long count = lora.factors().size();
            long pieces = CudaLinear.ceil(lora.rows(), PIECE);
            return new Call(lora, n, in, out, stride, pieces, 0, 0, 0, 0, 0).at(0, count);
        }

        private Call at(long start, long count) {
            long low = round(start + 4 * count * stride * out);
            long t = round(low + 4 * n * stride);
            long partial = round(t + 4 * n * stride);
            return new Call(lora, n, in, out, stride, pieces, start, low, t, partial, partial + 4 * count * pieces * stride * (in + out));
        }

        Call at(long start) {
            return at(start, lora.factors().size());
        }

        private static long round(long bytes) {
            return (bytes + 255) / 256 * 256;
        }

        /** The fields of {@code struct lora_spans}. */
        CudaLaunch pass(CudaLaunch launch, long fault) {
            return launch.pointer(lora.table()).i64(lora.factors().size()).pointer(lora.spans()).i64(n).i64(in).i64(out).i64(lora.headDim()).i64(stride)
                    .i64(pieces).i64(turned).i64(low).i64(t).i64(partial).i64(fault);
        }
    }

    /** {@link Gradients#loraBackward}. */
    void run(Tensor to, Tensor dy, Tensor x, LoraGradients lora) {
        Call sizes = Call.of(lora, x.rows(), x.cols(), dy.cols());
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            Call call = sizes.at(scratch.address(sizes.end()));
            long fault = device.fault();
            int count = lora.factors().size();
            int eights = Math.toIntExact(call.stride() / EIGHT);
            long widest = Math.max(call.in(), call.out());
            call.pass(turn.args(), fault).run(blocks(call.out(), THREADS), count, 1, THREADS, 0);
            call.pass(low.args().pointer(x).pointer(dy), fault).run(blocks(lora.rows(), EIGHT), count * eights, 2, LOW_THREADS, 0);
            call.pass(dx.args().pointer(to), fault).run(blocks(call.in(), WIDE), blocks(call.n(), DX_ROWS), 1, WIDE_THREADS, 0);
            call.pass(pieces.args().pointer(x).pointer(dy), fault)
                    .run(blocks(widest, WIDE), Math.toIntExact(call.pieces()), 2 * count * eights, WIDE_THREADS, 0);
            call.pass(gradients.args(), fault).run(blocks(widest, THREADS), Math.toIntExact(count * call.stride()), 2, THREADS, 0);
        }
    }

    private static int blocks(long n, int each) {
        return Math.toIntExact(CudaLinear.ceil(n, each));
    }
}
