package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** Runs given token sequences through a decoder in one batch, all positions wanted. */
public final class Teacher {
    /** Row-major [sequences * length, H] and [sequences * length, V]. */
    record Result(float[] hidden, float[] logits) {
    }

    private Teacher() {
    }

    /** The logits [V] after the last of the given tokens. */
    public static float[] lastLogits(Decoder decoder, int[] ids, List<LoraBatch.Entry> adapters) {
        float[] all = forced(decoder, new int[][] {ids}, adapters).logits();
        return Arrays.copyOfRange(all, all.length - decoder.config().vocabulary(), all.length);
    }

    /** @param adapters the same for every row, or null */
    static Result forced(Decoder decoder, int[][] sequences, List<LoraBatch.Entry> adapters) {
        int total = Arrays.stream(sequences).mapToInt(s -> s.length).sum();
        int longest = Arrays.stream(sequences).mapToInt(s -> s.length).max().orElseThrow();
        Backend backend = decoder.backend();
        try (var space = new Workspace(backend, decoder.config(), total, total);
                var cache = new KvCache(backend, decoder.config(), sequences.length, longest);
                var lora = adapters == null || adapters.isEmpty() ? null : new LoraBatch(backend, Collections.nCopies(total, adapters), decoder::interleavedHeadDim)) {
            space.clear();
            for (int s = 0; s < sequences.length; s++) {
                for (int p = 0; p < sequences[s].length; p++) {
                    space.add(cache, s, p, sequences[s][p], true);
                }
            }
            decoder.forward(space, cache, lora);
            decoder.logits(space);
            return new Result(floats(backend, space.hidden()), floats(backend, space.logits()));
        }
    }

    static float[] floats(Backend backend, Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(tensor.bytes(), 64);
            backend.download(host, tensor);
            return host.toArray(ValueLayout.JAVA_FLOAT);
        }
    }
}
