package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.ops.CrossEntropy;
import dev.t2l.ops.LoraBatch;
import dev.t2l.ops.LoraShape;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * How likely a model is to go on from a prompt in given ways. The prompts' keys and values are in a cache already; the last token of each is
 * fed once more, with the continuation behind it, so that every row's logits are asked for. Not thread-safe.
 */
final class Likelihoods implements AutoCloseable {
    private static final int LAUNCHED = 32; // rows of a pass where each is launched
    private static final int REPLAYED = 256;

    /**
     * What is asked of one slot.
     *
     * @param prompt        whose positions the cache holds
     * @param adapters      that act on all rows, placed
     * @param continuations token ids, at least one each; they may be written over what the slot holds behind the prompt
     */
    record Asked(int slot, int[] prompt, List<LoraBatch.Entry> adapters, List<int[]> continuations) {
    }

    private final Decoder reading;
    private final Decoder choosing;
    private final Backend backend;
    private final KvCache cache;
    private final Workspace space;
    private final Memory pinned;
    private final Memory memory;
    private final Weights host;   // labels i32 [rows], weights f32 [rows]
    private final Weights device; // the same, and losses f32 [rows]
    private final Tensor inputs;
    private LoraBatch lora;
    private final List<List<LoraBatch.Entry>> lists = new ArrayList<>();
    private final List<double[]> sums = new ArrayList<>(); // of each row: where its log-probability belongs
    private final List<Integer> places = new ArrayList<>();
    private final BitSet here = new BitSet();              // slots with rows behind their prompts in the pass

    /** @param longest continuation, in tokens */
    Likelihoods(Decoder decoder, KvCache cache, int longest) {
        this.reading = decoder.prefilling();
        this.choosing = decoder.decoding();
        this.backend = decoder.backend();
        this.cache = cache;
        int rows = Math.max(longest, backend.replays() ? REPLAYED : LAUNCHED);
        var table = new TensorTable().add("labels", DType.I32, rows).add("weights", DType.F32, rows);
        long bytes = table.bytes();
        pinned = backend.pinned(bytes);
        host = table.carve(_ -> pinned);
        table.add("losses", DType.F32, rows);
        try {
            memory = backend.allocate(table.bytes());
        } catch (RuntimeException | Error e) {
            pinned.close();
            throw e;
        }
        try {
            space = new Workspace(backend, decoder.config(), rows, rows);
        } catch (RuntimeException | Error e) {
            memory.close();
            pinned.close();
            throw e;
        }
        device = table.carve(_ -> memory);
        inputs = Tensor.of(DType.U8, memory.segment(), bytes);
        for (int i = 0; i < rows; i++) {
            host.get("weights").setFloat(i, 1);
        }
    }

    int longest() {
        return space.maxRows();
    }

    /**
     * Natural logarithms of the continuations' probabilities, a value a continuation; not those of an end behind them.
     *
     * @param shape that has room for all adapters
     */
    List<double[]> of(List<Asked> asked, LoraShape shape) {
        List<double[]> found = asked.stream().map(one -> new double[one.continuations().size()]).toList();
        int most = found.stream().mapToInt(sum -> sum.length).max().orElse(0);
        begin();
        for (int c = 0; c < most; c++) {
            for (int i = 0; i < asked.size(); i++) {
                Asked one = asked.get(i);
                if (c < one.continuations().size()) {
                    int length = one.continuations().get(c).length;
                    if (length > 1 && here.get(one.slot()) || space.size() + length > space.maxRows()) {
                        run(shape);
                    }
                    add(one, c, found.get(i));
                }
            }
        }
        run(shape);
        return found;
    }

    /** The first row is the same for all of a slot's continuations, and writes what is there already: only those with more rows need passes of their own. */
    private void add(Asked one, int c, double[] sum) {
        int[] continuation = one.continuations().get(c);
        int last = one.prompt().length - 1;
        here.set(one.slot(), continuation.length > 1 || here.get(one.slot()));
        for (int k = 0; k < continuation.length; k++) {
            host.get("labels").setInt(space.size(), continuation[k]);
            space.add(cache, one.slot(), last + k, k == 0 ? one.prompt()[last] : continuation[k - 1], true);
            lists.add(one.adapters());
            sums.add(sum);
            places.add(c);
        }
    }

    private void begin() {
        space.clear();
        lists.clear();
        sums.clear();
        places.clear();
        here.clear();
    }

    private void run(LoraShape shape) {
        int rows = space.size();
        if (rows > 0) {
            backend.upload(inputs, pinned.segment());
            reading.forward(space, cache, adapters(shape));
            choosing.logits(space);
            Tensor losses = device.get("losses").slice(0, rows);
            CrossEntropy.lossAndGradient(backend, losses, space.logits(), device.get("labels").slice(0, rows), device.get("weights").slice(0, rows), 0);
            try (Arena arena = Arena.ofConfined()) {
                float[] surprise = backend.host(arena, losses).toFloats();
                backend.await();
                for (int r = 0; r < rows; r++) {
                    if (Float.isNaN(surprise[r])) {
                        throw new ArithmeticException("logits hold NaN or infinities: the weights or the adapter are broken");
                    }
                    sums.get(r)[places.get(r)] -= surprise[r];
                }
            }
        }
        begin();
    }

    private LoraBatch adapters(LoraShape shape) {
        if (shape.equals(LoraShape.NONE)) {
            return null;
        }
        if (lora == null || !lora.shape().equals(shape)) {
            if (lora != null) {
                lora.close();
            }
            lora = new LoraBatch(backend, shape, space.maxRows(), reading::interleavedHeadDim);
        }
        lora.fill(lists);
        return lora;
    }

    @Override
    public void close() {
        if (lora != null) {
            lora.close();
        }
        memory.close();
        pinned.close();
        space.close();
    }
}
