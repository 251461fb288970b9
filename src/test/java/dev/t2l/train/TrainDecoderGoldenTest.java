package dev.t2l.train;

import static dev.t2l.Golden.assertClose;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.EachBackend;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.SafeTensors;
import dev.t2l.model.Decoder;
import dev.t2l.model.DecoderFile;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The label-smoothed, sample-weighted loss through a frozen decoder and its gradient for every LoRA matrix, against transformers and PEFT. */
class TrainDecoderGoldenTest {

    @TestFactory
    Stream<DynamicTest> oneAdapter() {
        return EachBackend.of("decoders", (folder, backend) -> run(folder, backend, DType.F32, false));
    }

    /** Each sample with a copy of the adapter: their gradients add up. */
    @TestFactory
    Stream<DynamicTest> adapterOfEachSample() {
        return EachBackend.of("decoders", (folder, backend) -> run(folder, backend, DType.F32, true));
    }

    /** Rounded activations cost digits, no more than torch.autocast's: of one of these models that is 20 % (median of its matrices), of others 1.5 to 4 %. */
    @TestFactory
    Stream<DynamicTest> keptInBfloat16() {
        return EachBackend.of("decoders", (folder, backend) -> run(folder, backend, DType.BF16, false));
    }

    private static void run(Path folder, Backend backend, DType kept, boolean each) {
        JsonNode about = Golden.description(folder);
        boolean exact = kept == DType.F32;
        double rtol = exact ? about.get("rtol").asDouble() : 0.01;
        double atol = about.get("atol").asDouble();
        float smoothing = (float) about.get("label_smoothing").asDouble();
        try (SafeTensors file = SafeTensors.open(folder.resolve("expected.safetensors"));
                DecoderFile model = DecoderFile.open(folder.resolve("model"), backend);
                var frozen = new FrozenDecoder(new Decoder(backend, model.config(), model.weights()), kept)) {
            Weights expected = file.weights();
            var batch = TrainingBatch.of(Samples.of(expected.get("input_ids"), expected.get("labels"), s -> each ? s : 0));
            LoraWeights adapter = PeftAdapter.read(folder.resolve("adapter")).weights();
            List<TrainableLora> copies = new ArrayList<>();
            try {
                for (int k = 0; k < batch.adapters(); k++) {
                    copies.add(TrainableLora.of(backend, adapter));
                }
                try (var adapters = new SampleAdapters(frozen.decoder(), copies.stream().map(TrainableLora::weights).toList(),
                        copies.stream().map(TrainableLora::gradients).toList())) {
                    float[] want = expected.get("loss").toFloats();
                    assertClose("loss", want, new float[] {(float) frozen.step(batch, adapters, Regularisation.smoothing(smoothing))}, rtol, atol);
                    assertClose("loss without gradients", want, new float[] {(float) frozen.loss(batch, adapters, smoothing)}, rtol, atol);
                    Map<String, float[]> sums = sums(copies);
                    if (exact) {
                        sums.forEach((name, got) -> assertClose(name, expected.get(name).toFloats(), got, rtol, atol));
                    } else {
                        assertNear(sums, expected);
                    }
                }
            } finally {
                copies.forEach(TrainableLora::close);
            }
        }
    }

    /** The difference of all gradients is short beside them. */
    private static void assertNear(Map<String, float[]> sums, Weights expected) {
        double length = 0;
        double gap = 0;
        for (var entry : sums.entrySet()) {
            float[] want = expected.get(entry.getKey()).toFloats();
            for (int i = 0; i < want.length; i++) {
                length += (double) want[i] * want[i];
                gap += Math.pow((double) want[i] - entry.getValue()[i], 2);
            }
        }
        assertTrue(Math.sqrt(gap) <= 0.25 * Math.sqrt(length), "gradients are off by a share of " + Math.sqrt(gap / length));
    }

    private static Map<String, float[]> sums(List<TrainableLora> copies) {
        Map<String, float[]> sums = new TreeMap<>();
        for (TrainableLora copy : copies) {
            for (Site site : copy.host().pairs().keySet()) {
                for (boolean b : new boolean[] {false, true}) {
                    String name = "grad.base_model.model.model." + site + (b ? ".lora_B.weight" : ".lora_A.weight");
                    sums.merge(name, copy.gradient(site, b), TrainDecoderGoldenTest::add);
                }
            }
        }
        return sums;
    }

    private static float[] add(float[] a, float[] b) {
        float[] sum = a.clone();
        for (int i = 0; i < sum.length; i++) {
            sum[i] += b[i];
        }
        return sum;
    }
}
