package dev.t2l.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.bench.DecoderShapes;
import dev.t2l.bench.HyperShape;
import dev.t2l.hyper.HyperConfig;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.model.DecoderConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Operations by numbers computed by hand from the published shapes. */
class FlopsTest {
    private static final DecoderConfig MISTRAL = DecoderShapes.of("mistral-7b");

    private static HyperConfig network(Variant variant) {
        return HyperShape.of(variant, "mistral-7b", MISTRAL, 1024);
    }

    /** 32 layers of 2 * 4096² + 2 * 4096 * 1024 + 3 * 4096 * 14336 weights; the first token attends to itself, the eleventh to eleven. */
    @Test
    void tokens() {
        double weights = 32.0 * 218_103_808;
        assertEquals(2 * weights + 4 * 4096 * 32, Flops.tokens(MISTRAL, 0, 1));
        assertEquals(2 * weights + 4 * 4096 * 32 * 11.0, Flops.tokens(MISTRAL, 10, 11));
        assertEquals(Flops.tokens(MISTRAL, 0, 300), Flops.tokens(MISTRAL, 0, 120) + Flops.tokens(MISTRAL, 120, 300));
        assertEquals(262_144_000, Flops.logits(MISTRAL));
    }

    /** Gemma-2: 26 layers, every second one sees 4096 positions; 2048 query features. */
    @Test
    void windows() {
        DecoderConfig gemma = DecoderShapes.of("gemma-2-2b");
        double weights = 26.0 * (2304 * 2048 * 2 + 2304 * 1024 * 2 + 3 * 2304 * 9216);
        assertEquals(2 * weights + 4 * 2048 * (13.0 * 5001 + 13.0 * 4096), Flops.tokens(gemma, 5000, 5001));
    }

    /** 64 sites; mixer, mlp1 and mlp2 have 2 * 128 * 512 weights, mlp3 128 * 512 + 512 * 512; a head meets its module's rows. */
    @ParameterizedTest
    @CsvSource({
        "L, 64, 64, 32, 8 * (4096 + 4096), 8 * (4096 + 1024)",
        "M, 128, 128, 64, 8 * 4096, 8 * 4096",
        "S, 136, 1024, 512, 4096, 4096"})
    void generation(Variant variant, long mlp2, long headRows, long rowsOfHead, String q, String v) {
        long heads = 512 * (product(q) + product(v));
        double wanted = 2.0 * (1024 * 64 + (64 + 64 + mlp2) * 131_072 + headRows * 327_680 + rowsOfHead * heads);
        assertEquals(wanted, Flops.generation(network(variant)));
    }

    /** {@code a}, {@code a * b} or {@code a * (b + c)}. */
    private static long product(String of) {
        String[] factors = of.replaceAll("[()]", "").split(" \\* ");
        long last = 0;
        for (String summand : factors[factors.length - 1].split(" \\+ ")) {
            last += Long.parseLong(summand);
        }
        return factors.length == 1 ? last : Long.parseLong(factors[0]) * last;
    }

    @Test
    void adapters() {
        assertEquals(2.0 * 32 * 8 * (8192 + 5120), Flops.adapter(network(Variant.L)));
    }

    /** Each way's queries, token by token: the last token of an answer is not read again, logits are computed for each. */
    @Test
    void queries() {
        var lengths = new QueryLengths(20, 10, 100, 80, 3);
        var flops = new QueryFlops(MISTRAL, network(Variant.L), tokens -> 1e6 * tokens, lengths);
        double logits = 3 * Flops.logits(MISTRAL);
        double adapted = Flops.tokens(MISTRAL, 0, 12) + 12 * Flops.adapter(network(Variant.L)) + logits;
        assertEquals(adapted, flops.generated().next());
        assertEquals(20e6 + Flops.generation(network(Variant.L)) + adapted, flops.generated().first(), 1);
        assertEquals(Flops.tokens(MISTRAL, 0, 102) + logits, flops.examples().first());
        assertEquals(flops.examples().first(), flops.examples().next());
        assertEquals(flops.examples().first(), flops.keptExamples().first());
        assertEquals(Flops.tokens(MISTRAL, 80, 102) + logits, flops.keptExamples().next());
        assertEquals(flops.generated().first() + 4 * flops.generated().next(), flops.generated().total(5));
        assertTrue(flops.examples().first() > 4 * flops.generated().first(), "an eighth of the tokens, and little for the adapter");
    }

    /** The lengths of the data's unseen tasks in Mistral's template: what the paper claims for the first query holds, encoder, hypernetwork and answer included. */
    @Test
    void aQuarterOfTheOperations() {
        var lengths = new QueryLengths(18, 58, 288, 230, 10).within(8);
        for (Variant variant : new Variant[] {Variant.L, Variant.M, Variant.S}) {
            QueryFlops flops = Cost.flops(variant, lengths);
            assertTrue(flops.examples().first() > 4 * flops.generated().first(), variant + ": " + flops.examples().first() / flops.generated().first());
            assertTrue(flops.generation() < 0.03 * flops.generated().first(), "the adapter is cheap");
        }
    }

    @Test
    void lengthsThatMakeNoSense() {
        assertThrows(IllegalArgumentException.class, () -> new QueryLengths(0, 10, 100, 80, 3));
        assertThrows(IllegalArgumentException.class, () -> new QueryLengths(20, 10, 100, 100, 3));
    }
}
