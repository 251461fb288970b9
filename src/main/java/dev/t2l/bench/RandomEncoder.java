package dev.t2l.bench;

import dev.t2l.TextEncoder;
import dev.t2l.backend.Backend;
import dev.t2l.model.PooledEncoder;
import dev.t2l.tensor.DType;
import dev.t2l.text.Tokenizer;
import java.util.random.RandomGenerator;

/** A text encoder with random weights, and a tokeniser of made-up words. */
public final class RandomEncoder implements AutoCloseable {
    private final RandomWeights random;
    private final Tokenizer tokenizer;
    private final TextEncoder encoder;

    /** @param type F32, F16 or BF16, of all matrices */
    public RandomEncoder(EncoderShape shape, DType type, Backend backend) {
        random = new RandomWeights(backend);
        tokenizer = RandomText.tokenizer(shape.vocabulary(), true);
        var embedder = new PooledEncoder(backend, shape.maker().make((name, dims) -> random.parameter(name, type, dims), backend), shape.pooling());
        encoder = TextEncoder.of(backend, tokenizer, embedder);
    }

    public TextEncoder encoder() {
        return encoder;
    }

    /** A new description of so many tokens, [CLS] and [SEP] included. */
    public String description(int tokens, RandomGenerator generator) {
        return RandomText.words(tokenizer, tokens - 2, generator);
    }

    @Override
    public void close() {
        encoder.close();
        random.close();
    }
}
