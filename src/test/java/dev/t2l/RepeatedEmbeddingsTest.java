package dev.t2l;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import dev.t2l.bench.DecoderShapes;
import dev.t2l.bench.HyperShape;
import dev.t2l.bench.RandomHypernetwork;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A hypernetwork that is given the same tensor again reads what lies there now, on a backend that replays, too. */
class RepeatedEmbeddingsTest {
    private static final int WIDTH = 16;

    private static float[] generated(RandomHypernetwork random, Tensor embeddings) {
        List<GeneratedLora> adapters = random.network().generate(embeddings);
        float[] values = adapters.getFirst().b(Projection.Q).toFloats();
        adapters.forEach(GeneratedLora::close);
        return values;
    }

    @Test
    void whatLiesThereNow() {
        try (Backend own = Backend.open("java")) {
            Replaying replaying = Replaying.of(own);
            Backend backend = replaying.backend();
            var config = HyperShape.of(Variant.L, "tiny", DecoderShapes.of("tiny"), WIDTH);
            try (var random = new RandomHypernetwork(config, DType.F32, backend); Memory memory = backend.allocate(4 * WIDTH)) {
                Tensor again = Tensor.of(DType.F32, memory.segment(), 1, WIDTH);
                for (int i = 0; i < 6; i++) {
                    float[] values = new float[WIDTH];
                    Arrays.fill(values, i + 1);
                    values[i] = -i;
                    Tensor other = Tensor.ofFloats(values, 1, WIDTH);
                    backend.upload(again, other.data());
                    assertArrayEquals(generated(random, other), i == 3 ? generated(random, other) : generated(random, again));
                    assertArrayEquals(generated(random, again), generated(random, again));
                }
                int replays = replaying.replays.get();
                for (int i = 0; i < 4; i++) {
                    generated(random, again);
                }
                assertTrue(replaying.replays.get() > replays + 1);
                memory.close();
                assertThrows(IllegalStateException.class, () -> generated(random, again));
            }
        }
    }
}
