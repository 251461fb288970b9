package dev.t2l.hyper;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.t2l.hyper.HyperConfig.Architecture;
import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.hyper.HyperConfig.Origin;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperConfig.Training;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.tensor.Projection;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The published sizes, counted from the same table that checkpoints and the forward pass use; nothing is allocated. */
class HyperParametersTest {

    @ParameterizedTest
    @CsvSource({"L, false, false, 55.42", "M, true, false, 34.41", "S, true, true, 4.996"})
    void mistral7b(Variant variant, boolean shared, boolean byRank, double millions) {
        HyperConfig config = mistral(new Architecture(shared, byRank, byRank, 128, 512, 1024));
        assertEquals(variant, config.variant());
        assertEquals(millions, HyperParameters.of(config).trainableCount() / 1e6, millions < 10 ? 0.0005 : 0.005);
    }

    @Test
    void wideLatent() {
        HyperConfig config = mistral(new Architecture(false, false, false, 512, 2048, 1024));
        assertEquals(230, HyperParameters.of(config).trainableCount() / 1e6, 1);
    }

    private static HyperConfig mistral(Architecture architecture) {
        var targets = List.of(new Target(Projection.Q, 4096, 4096, true), new Target(Projection.V, 4096, 1024, true));
        return new HyperConfig(architecture, new LoraShape(8, 16, true, 32), targets, Training.sft(),
                new Origin(Optional.of("Alibaba-NLP/gte-large-en-v1.5"), "mistralai/Mistral-7B-Instruct-v0.2", List.of(), Condition.DESCRIPTION));
    }
}
