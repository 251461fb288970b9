package dev.t2l.train;

import static dev.t2l.Golden.assertClose;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.EachBackend;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.hyper.HyperParameters;
import dev.t2l.io.SafeTensors;
import dev.t2l.model.Decoder;
import dev.t2l.model.DecoderFile;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Steps of supervised fine-tuning against the reference: losses, gradient norms, learning rates, the first gradients, the final weights. */
class TrainSftGoldenTest {

    @TestFactory
    Stream<DynamicTest> inOnePass() {
        return EachBackend.of("train_sft", (folder, backend) -> run(folder, backend, Integer.MAX_VALUE));
    }

    /** A step's samples in several passes give the same step. */
    @TestFactory
    Stream<DynamicTest> accumulated() {
        return EachBackend.of("train_sft", (folder, backend) -> run(folder, backend, 1));
    }

    private static void run(Path folder, Backend backend, int samplesOfPass) {
        JsonNode about = Golden.description(folder);
        double rtol = about.get("rtol").asDouble();
        double atol = about.get("atol").asDouble();
        int steps = about.get("steps").asInt();
        var schedule = new Schedule(about.get("lr").asDouble(), about.get("warmup_steps").asLong(), steps);
        var adamW = new Optimiser.Settings(about.get("betas").get(0).asDouble(), about.get("betas").get(1).asDouble(), about.get("eps").asDouble(),
                about.get("weight_decay").asDouble(), about.get("clip").asDouble());
        var settings = new SupervisedFineTuning.Settings((float) about.get("dropout").asDouble(), (float) about.get("l2_reg_generated_w").asDouble(),
                new Regularisation((float) about.get("label_smoothing").asDouble(), 0, (float) about.get("neftune").asDouble(), 0));
        try (SafeTensors file = SafeTensors.open(folder.resolve("expected.safetensors")); HyperCheckpoint start = HyperCheckpoint.load(folder);
                DecoderFile model = DecoderFile.open(folder.resolve("base"), backend);
                var base = new FrozenDecoder(new Decoder(backend, model.config(), model.weights()), DType.F32);
                var parameters = parameters(start, backend); var optimiser = new Optimiser(parameters, adamW);
                var training = new SupervisedFineTuning(start.config(), parameters, start.weights(), base, optimiser, settings)) {
            Weights expected = file.weights();
            float[] losses = new float[steps];
            float[] penalties = new float[steps];
            float[] norms = new float[steps];
            float[] rates = new float[steps];
            for (int t = 0; t < steps; t++) {
                List<TrainingBatch> batches = batches(expected.get("input_ids").get(t), expected.get("labels").get(t), samplesOfPass);
                rates[t] = (float) schedule.rate(t);
                Tensor embeddings = backend.place(expected.get("task_embs").get(t));
                if (t == 0) {
                    training.accumulate(embeddings, batches, t);
                    parameters.names().forEach(name -> assertClose("grad0." + name, expected.get("grad0." + name).toFloats(),
                            EachBackend.floats(backend, parameters.gradient(name)), rtol, atol));
                    parameters.zeroGradients();
                }
                StepResult result = training.step(embeddings, batches, rates[t], t);
                losses[t] = (float) result.loss();
                penalties[t] = (float) result.penalty();
                norms[t] = (float) result.gradientNorm();
            }
            assertClose("lr", expected.get("lr").toFloats(), rates, rtol, 1e-9);
            assertClose("sft_loss", expected.get("sft_loss").toFloats(), losses, rtol, atol);
            assertClose("l2_loss", expected.get("l2_loss").toFloats(), penalties, rtol, atol);
            assertClose("grad_norm", expected.get("grad_norm").toFloats(), norms, rtol, atol);
            for (String name : parameters.names()) {
                assertClose(name, expected.get("final." + name).toFloats(), EachBackend.floats(backend, parameters.value(name)), rtol, atol);
            }
        }
    }

    private static Parameters parameters(HyperCheckpoint start, Backend backend) {
        var table = new TensorTable();
        for (HyperParameters.Parameter p : HyperParameters.of(start.config()).trainable()) {
            table.add(p.name(), DType.F32, p.shape().stream().mapToLong(Long::longValue).toArray());
        }
        var parameters = new Parameters(backend, table);
        parameters.upload(parameters.values(), start.weights());
        return parameters;
    }

    private static List<TrainingBatch> batches(Tensor ids, Tensor labels, int size) {
        List<TrainingBatch.Sample> samples = Samples.of(ids, labels, s -> s);
        List<TrainingBatch> batches = new ArrayList<>();
        for (int from = 0; from < samples.size(); from += Math.min(size, samples.size())) {
            batches.add(TrainingBatch.of(samples.subList(from, Math.min(samples.size(), from + Math.min(size, samples.size())))));
        }
        return batches;
    }
}
