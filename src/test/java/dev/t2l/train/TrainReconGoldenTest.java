package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.EachBackend;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.hyper.HyperConfig.Output;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Steps of reconstruction as the Python reference takes them: losses, gradients, weights. */
class TrainReconGoldenTest {

    @TestFactory
    Stream<DynamicTest> steps() {
        return EachBackend.of("train_recon", TrainReconGoldenTest::train);
    }

    private record Case(JsonNode about, Weights expected) {
        float[] of(String name) {
            return expected.get(name).toFloats();
        }

        void close(String what, float[] want, float[] got) {
            Golden.assertClose(what, want, got, about.get("rtol").asDouble(), about.path("atol").asDouble());
        }
    }

    private static void train(Path folder, Backend backend) {
        JsonNode about = Golden.description(folder);
        try (SafeTensors file = SafeTensors.open(folder.resolve("expected.safetensors")); HyperCheckpoint start = HyperCheckpoint.load(folder)) {
            var golden = new Case(about, file.weights());
            OracleLibrary library = library(folder, about, golden.expected().get("task_embs"));
            assertStatistics(golden, start, library);
            int steps = about.get("steps").asInt();
            try (var training = Reconstruction.builder().library(library).backend(backend).start(start).dropout(0)
                    .schedule(new Schedule(about.get("lr").asDouble(), about.get("warmup_steps").asLong(), steps))
                    .regularisation(about.get("weight_decay").asDouble(), about.get("clip").asDouble()).build()) {
                run(golden, training, backend, steps);
                for (String name : training.parameters().names()) {
                    golden.close("final " + name, golden.of("final." + name), EachBackend.floats(backend, training.parameters().value(name)));
                }
            }
        }
    }

    /** Each task with the embeddings of all steps, one after the other. */
    private static OracleLibrary library(Path folder, JsonNode about, Tensor embeddings) {
        List<Oracle> oracles = new ArrayList<>();
        int steps = (int) embeddings.dim(0);
        int perStep = (int) embeddings.dim(2);
        int width = (int) embeddings.dim(3);
        for (int k = 0; k < about.get("tasks").size(); k++) {
            float[] own = new float[steps * perStep * width];
            for (int t = 0; t < steps; t++) {
                System.arraycopy(embeddings.get(t).get(k).toFloats(), 0, own, t * perStep * width, perStep * width);
            }
            oracles.add(Oracle.read(folder.resolve("oracles").resolve(about.get("tasks").get(k).asText()), Tensor.ofFloats(own, (long) steps * perStep, width)));
        }
        return new OracleLibrary(oracles);
    }

    private static void assertStatistics(Case golden, HyperCheckpoint start, OracleLibrary library) {
        if (start.config().training().output() == Output.Z_SCORE) {
            Map<String, Tensor> mean = library.statistics().mean();
            mean.forEach((name, tensor) -> golden.close("mean " + name, start.weights().get("mean_recon_target." + name).toFloats(), tensor.toFloats()));
            library.statistics().deviation()
                    .forEach((name, tensor) -> golden.close("std " + name, start.weights().get("std_recon_target." + name).toFloats(), tensor.toFloats()));
        }
    }

    private static void run(Case golden, Reconstruction training, Backend backend, int steps) {
        int tasks = (int) golden.expected().get("task_embs").dim(1);
        int perTask = (int) golden.expected().get("task_embs").dim(2);
        float[] losses = new float[steps];
        float[] raw = new float[steps];
        float[] norms = new float[steps];
        for (int t = 0; t < steps; t++) {
            int first = t * perTask;
            var batch = new Reconstruction.Batch(IntStream.range(0, tasks * perTask).map(i -> i / perTask).toArray(),
                    IntStream.range(0, tasks * perTask).map(i -> first + i % perTask).toArray());
            if (t == 0) {
                training.backpropagate(t, batch);
                for (String name : training.parameters().names()) {
                    golden.close("step 0: gradient of " + name, golden.of("grad0." + name), EachBackend.floats(backend, training.parameters().gradient(name)));
                }
                training.parameters().zeroGradients();
            }
            Reconstruction.Step step = training.step(t, batch);
            losses[t] = (float) step.loss();
            raw[t] = (float) step.rawError();
            norms[t] = (float) step.gradientNorm();
            assertEquals(t, step.step());
        }
        golden.close("loss", golden.of("loss"), losses);
        golden.close("gradient norm", golden.of("grad_norm"), norms);
        golden.close("raw error", golden.of("raw_error"), raw);
    }
}
