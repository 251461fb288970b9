package dev.t2l.hyper;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.t2l.backend.Backend;
import dev.t2l.backend.ReplayingBackend;
import dev.t2l.hyper.TinyHypernetworks.Kind;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import dev.t2l.train.Parameters;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What hypernetworks do with a backend's memory. */
class HyperMemoryTest {
    private static final int DESCRIPTIONS = 2;

    private static Tensor embeddings(HyperConfig config) {
        float[] values = new float[DESCRIPTIONS * config.architecture().embedding()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) Math.sin(i + 1);
        }
        return Tensor.ofFloats(values, DESCRIPTIONS, config.architecture().embedding());
    }

    /** Adapters lie in memory that nobody cleared. */
    @ParameterizedTest
    @EnumSource
    void adaptersAreWrittenWhole(Kind kind) {
        HyperConfig config = kind.config(HyperConfig.Training.sft(), true);
        Weights weights = HyperInit.weights(config, 3);
        Tensor embeddings = embeddings(config);
        try (Backend plain = Backend.open("java"); var wanted = new Hypernetwork(config, weights, plain);
                var found = new Hypernetwork(config, weights, new ReplayingBackend(plain).backend())) {
            List<GeneratedLora> cleared = wanted.generate(embeddings);
            for (int call = 0; call < 2; call++) {
                List<GeneratedLora> unwritten = found.generate(embeddings);
                for (int k = 0; k < DESCRIPTIONS; k++) {
                    Weights here = unwritten.get(k).factors();
                    cleared.get(k).factors().tensors().forEach((name, tensor) -> assertArrayEquals(tensor.toFloats(), here.get(name).toFloats(), name));
                }
                unwritten.forEach(GeneratedLora::close);
            }
            cleared.forEach(GeneratedLora::close);
        }
    }

    /** Wherever it runs out, what was taken before is given back. */
    @Test
    void trainingWithoutRoomKeepsNothing() {
        HyperConfig config = Kind.S_ROTARY.config(TinyHypernetworks.RAW, true);
        var counting = new ReplayingBackend(Backend.open("java"));
        Backend backend = counting.backend();
        Weights start = HyperInit.weights(config, 3);
        try (var parameters = new Parameters(backend, HyperParameters.of(config).trainableTable());
                var training = new HyperTraining(config, parameters.values(), parameters.gradients(), start, backend)) {
            long before = counting.allocated();
            training.forward(embeddings(config), 0, 1);
            long needed = counting.allocated() - before;
            training.close();
            assertEquals(before, counting.allocated());
            for (int part = 0; part < 16; part++) {
                counting.limit(before + needed * part / 16);
                assertThrows(IllegalStateException.class, () -> training.forward(embeddings(config), 0, 1));
                assertEquals(before, counting.allocated(), "with " + part + " sixteenths of the room");
            }
        }
    }
}
