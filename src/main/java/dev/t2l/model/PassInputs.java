package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.ops.Sample;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;

/**
 * What a pass is told about its rows: one block of memory that the host writes and uploads at once. The tokens that it answers with
 * lie where the host can read them.
 */
final class PassInputs implements AutoCloseable {
    /**
     * One side of the block.
     *
     * @param ids       i32 [n]
     * @param positions i32 [n]
     * @param cacheRows i32 [n]: where a row's keys and values go
     * @param ranges    i32 [n, 2]: the cache rows that a row attends to
     * @param wanted    i32 [m]: rows whose hidden states are asked for
     * @param choices   f32 [m, 5]: how their tokens are chosen
     */
    record Block(Memory memory, Tensor ids, Tensor positions, Tensor cacheRows, Tensor ranges, Tensor wanted, Tensor choices) {
        static Block of(Memory memory, TensorTable table) {
            var tensors = table.carve(_ -> memory);
            return new Block(memory, tensors.get("ids"), tensors.get("positions"), tensors.get("cacheRows"), tensors.get("ranges"), tensors.get("wanted"),
                    tensors.get("choices"));
        }
    }

    private final Backend backend;
    private final Block host;
    private final Block device;
    private final Tensor all;
    private final Memory answers;
    private final Tensor tokens;

    PassInputs(Backend backend, int maxRows, int maxWanted) {
        this.backend = backend;
        var table = new TensorTable().add("ids", DType.I32, maxRows).add("positions", DType.I32, maxRows).add("cacheRows", DType.I32, maxRows)
                .add("ranges", DType.I32, maxRows, 2).add("wanted", DType.I32, maxWanted).add("choices", DType.F32, maxWanted, Sample.CHOICES);
        host = Block.of(backend.pinned(table.bytes()), table);
        device = Block.of(backend.allocate(table.bytes()), table);
        all = Tensor.of(DType.U8, device.memory().segment(), table.bytes());
        answers = backend.pinned(Math.max(1, 4L * maxWanted));
        tokens = Tensor.of(DType.I32, answers.segment(), maxWanted);
    }

    /** The side that is written. */
    Block host() {
        return host;
    }

    /** The side that kernels read. */
    Block device() {
        return device;
    }

    /** i32 [maxWanted]: the tokens chosen for the wanted rows. */
    Tensor tokens() {
        return tokens;
    }

    void upload() {
        backend.upload(all, host.memory().segment());
    }

    @Override
    public void close() {
        host.memory().close();
        device.memory().close();
        answers.close();
    }
}
