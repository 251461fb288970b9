package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** A decoder as an encoder: a text's vector is the hidden state of its last token, after the final norm. */
public final class LastTokenEmbedder implements SequenceEmbedder {
    /** Cache positions of a batch, unless a single text is longer. */
    private static final int BATCH_POSITIONS = 1024;

    private final Decoder decoder;
    private final Runnable release;

    /** @param release ends the memory of the decoder's weights, if nobody else does; harmless when called twice */
    public LastTokenEmbedder(Decoder decoder, Runnable release) {
        this.decoder = decoder;
        this.release = release;
    }

    @Override
    public int width() {
        return decoder.config().hidden();
    }

    @Override
    public int maxTokens() {
        return Integer.MAX_VALUE;
    }

    @Override
    public void embed(int[][] ids, Tensor out) {
        TokenBatch.of(ids).check(decoder.config().vocabulary(), 1, maxTokens());
        int from = 0;
        while (from < ids.length) {
            int to = from + 1;
            int longest = ids[from].length;
            while (to < ids.length && (to - from + 1L) * Math.max(longest, ids[to].length) <= BATCH_POSITIONS) {
                longest = Math.max(longest, ids[to++].length);
            }
            batch(Arrays.copyOfRange(ids, from, to), longest, out.slice(from, to));
            from = to;
        }
    }

    private void batch(int[][] ids, int longest, Tensor out) {
        Backend backend = decoder.backend();
        int tokens = Arrays.stream(ids).mapToInt(text -> text.length).sum();
        try (var space = new Workspace(backend, decoder.config(), tokens, ids.length);
                var cache = new KvCache(backend, decoder.config(), ids.length, longest);
                Arena arena = Arena.ofConfined()) {
            space.clear();
            for (int text = 0; text < ids.length; text++) {
                for (int p = 0; p < ids[text].length; p++) {
                    space.add(cache, text, p, ids[text][p], p == ids[text].length - 1);
                }
            }
            decoder.forward(space, cache, null);
            MemorySegment hidden = arena.allocate(out.bytes(), 64);
            backend.download(hidden, space.hidden());
            backend.upload(out, hidden);
        }
    }

    @Override
    public void close() {
        release.run();
    }
}
