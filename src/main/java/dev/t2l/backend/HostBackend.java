package dev.t2l.backend;

import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** What the backends whose kernels run on the host have in common: memory, where weights stay where they are, and sampling. */
abstract class HostBackend implements Backend {
    private static final Placement IN_PLACE = new Placement() {
        @Override
        public Tensor place(Tensor host) {
            return host;
        }

        @Override
        public void close() {
        }
    };

    static int threads() {
        return Math.max(1, Integer.getInteger("t2l.threads", Runtime.getRuntime().availableProcessors()));
    }

    @Override
    public Memory allocate(long bytes) {
        Arena arena = Arena.ofShared();
        return new Memory(arena.allocate(bytes, 64), arena::close);
    }

    @Override
    public void upload(Tensor to, MemorySegment from) {
        MemorySegment.copy(from, 0, to.data(), 0, to.bytes());
    }

    @Override
    public void download(MemorySegment to, Tensor from) {
        MemorySegment.copy(from.data(), 0, to, 0, from.bytes());
    }

    @Override
    public Placement placement() {
        return IN_PLACE;
    }

    @Override
    public Tensor place(Tensor host) {
        return host;
    }

    @Override
    public void sample(Tensor tokens, Tensor logits, Tensor choices) {
        HostSampling.sample(tokens, logits, choices);
    }

    @Override
    public void close() {
    }
}
