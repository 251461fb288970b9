package dev.t2l.hyper;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.t2l.backend.Backend;
import dev.t2l.bench.DecoderShapes;
import dev.t2l.bench.HyperShape;
import dev.t2l.bench.RandomHypernetwork;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** {@link Hypernetwork#headInputs}. */
class HeadInputsTest {
    private static final int WIDTH = 16;

    private static Tensor embeddings(int n) {
        var random = new SplittableRandom(1);
        float[] values = new float[n * WIDTH];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Tensor.ofFloats(values, n, WIDTH);
    }

    private static HyperConfig of(Variant variant, int targets) {
        HyperConfig whole = HyperShape.of(variant, "tiny", DecoderShapes.of("tiny"), WIDTH);
        return new HyperConfig(whole.architecture(), whole.lora(), whole.targets().subList(0, targets), whole.training(), whole.origin());
    }

    /** Heads are linear: what one makes of the mean over layers is the mean over layers of the A that it makes. */
    @Test
    void theHeadMakesTheMeanAdapterOfThem() {
        HyperConfig config = of(Variant.L, 1);
        try (Backend backend = Backend.open("java"); var random = new RandomHypernetwork(config, DType.F32, backend)) {
            Hypernetwork network = random.network();
            float[] z = network.headInputs(embeddings(3))[1];
            List<GeneratedLora> adapters = network.generate(embeddings(3));
            float[] a = adapters.get(1).factors().tensors().values().iterator().next().toFloats();
            adapters.forEach(GeneratedLora::close);
            Tensor weight = random.checkpoint().weights().get("heads.q_proj.weight");
            Tensor bias = random.checkpoint().weights().get("heads.q_proj.bias");
            int layers = config.lora().layers();
            for (int i : new int[] {0, 1, 77}) {
                double wanted = bias.getFloat(i);
                for (int k = 0; k < z.length; k++) {
                    wanted += (double) weight.getFloat((long) i * z.length + k) * z[k];
                }
                double mean = 0;
                for (int l = 0; l < layers; l++) {
                    mean += a[l * (a.length / layers) + i] / layers;
                }
                assertEquals(wanted, mean, 1e-5);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void othersInTheBatchChangeNothing(Variant variant) {
        try (Backend backend = Backend.open("java"); var random = new RandomHypernetwork(of(variant, 2), DType.F32, backend)) {
            Hypernetwork network = random.network();
            float[][] together = network.headInputs(embeddings(3));
            assertArrayEquals(network.headInputs(embeddings(1))[0], together[0]);
            assertEquals(3, together.length);
            assertEquals(network.config().architecture().headIn(), together[2].length);
        }
    }
}
