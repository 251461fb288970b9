package dev.t2l.hyper;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.EachBackend;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Noise;
import dev.t2l.hyper.TinyHypernetworks.Kind;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import dev.t2l.train.Parameters;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The backward pass of every kind of hypernetwork against finite differences of its forward, on plain Java. The loss is the sum of
 * the adapters' elements times fixed random numbers; a tensor's gradient is compared along random directions, in which every element counts.
 */
class HyperTrainingTest {
    private static final int DIRECTIONS = 3;

    /** A network that runs, its loss, and the random numbers of that. */
    private record Running(Backend backend, Parameters parameters, HyperTraining training, Tensor embeddings, float dropout) implements AutoCloseable {
        static Running of(HyperConfig config, float dropout) {
            Backend backend = Backend.open("java");
            Weights start = HyperInit.weights(config, 7);
            start.tensors().forEach((name, tensor) -> { // norms and heads away from their 1 and 0
                for (long i = 0; i < tensor.elements(); i++) {
                    tensor.setFloat(i, tensor.getFloat(i) + 0.3f * random(name.hashCode(), i));
                }
            });
            var parameters = new Parameters(backend, HyperParameters.of(config).trainableTable());
            parameters.upload(parameters.values(), start);
            var training = new HyperTraining(config, parameters.values(), parameters.gradients(), start, backend);
            float[] embeddings = new float[2 * config.architecture().embedding()];
            for (int i = 0; i < embeddings.length; i++) {
                embeddings[i] = 1.5f * random(-1, i);
            }
            return new Running(backend, parameters, training, Tensor.ofFloats(embeddings, 2, config.architecture().embedding()), dropout);
        }

        List<GeneratedLora> forward() {
            return training.forward(embeddings, dropout, 99);
        }

        double loss() {
            double sum = 0;
            List<GeneratedLora> adapters = forward();
            for (int k = 0; k < adapters.size(); k++) {
                for (var e : adapters.get(k).factors().tensors().entrySet()) {
                    for (long i = 0; i < e.getValue().elements(); i++) {
                        sum += (double) e.getValue().getFloat(i) * weight(k, e.getKey(), i);
                    }
                }
            }
            return sum;
        }

        void backward() {
            forward();
            List<GeneratedLora> gradients = training.gradients();
            for (int k = 0; k < gradients.size(); k++) {
                for (var e : gradients.get(k).factors().tensors().entrySet()) {
                    for (long i = 0; i < e.getValue().elements(); i++) {
                        e.getValue().setFloat(i, weight(k, e.getKey(), i));
                    }
                }
            }
            training.backward(gradients);
        }

        private static float weight(int description, String factor, long i) {
            return random(31L * description + factor.hashCode(), i);
        }

        /** The derivative of the loss along a direction, by four points. */
        double slope(Tensor tensor, float[] direction) {
            float h = 0x1p-7f;
            return (8 * (at(tensor, direction, h) - at(tensor, direction, -h)) - (at(tensor, direction, 2 * h) - at(tensor, direction, -2 * h))) / (12 * h);
        }

        private double at(Tensor tensor, float[] direction, float distance) {
            float[] before = tensor.toFloats();
            for (int i = 0; i < before.length; i++) {
                tensor.setFloat(i, before[i] + distance * direction[i]);
            }
            double loss = loss();
            for (int i = 0; i < before.length; i++) {
                tensor.setFloat(i, before[i]);
            }
            return loss;
        }

        @Override
        public void close() {
            training.close();
            parameters.close();
            backend.close();
        }
    }

    private static float random(long seed, long i) {
        return Noise.uniform(Noise.seed(seed, 5), i);
    }

    @ParameterizedTest
    @EnumSource
    void finiteDifferences(Kind kind) {
        differences(kind.config(TinyHypernetworks.RAW, true), 0);
    }

    @ParameterizedTest
    @EnumSource
    void finiteDifferencesWithDropout(Kind kind) {
        differences(kind.config(TinyHypernetworks.RAW, false), 0.3f);
    }

    @ParameterizedTest
    @EnumSource(names = {"L", "S"})
    void finiteDifferencesOnAnOffset(Kind kind) {
        differences(kind.config(HyperConfig.Training.sft(), true), 0.3f);
    }

    private static void differences(HyperConfig config, float dropout) {
        try (Running network = Running.of(config, dropout)) {
            network.backward();
            for (String name : network.parameters().names()) {
                Tensor tensor = network.parameters().value(name);
                float[] gradient = network.parameters().gradient(name).toFloats();
                double length = Math.sqrt(dot(gradient, gradient));
                assertTrue(length > 1e-4, name + ": a loss that does not depend on it proves nothing");
                for (int k = 0; k < DIRECTIONS; k++) {
                    float[] direction = new float[gradient.length];
                    for (int i = 0; i < direction.length; i++) {
                        direction[i] = random(k, i) + gradient[i] / (float) length; // not at right angles to the gradient
                    }
                    double size = Math.sqrt(dot(direction, direction));
                    for (int i = 0; i < direction.length; i++) {
                        direction[i] /= (float) size;
                    }
                    assertEquals(network.slope(tensor, direction), dot(gradient, direction), 1e-3 * length + 2e-4, name);
                }
            }
        }
    }

    private static double dot(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (double) a[i] * b[i];
        }
        return sum;
    }

    @Test
    void gradientsAreAdded() {
        try (Running network = Running.of(Kind.S.config(TinyHypernetworks.RAW, true), 0.3f)) {
            network.backward();
            List<float[]> once = gradients(network);
            network.backward();
            List<float[]> twice = gradients(network);
            for (int t = 0; t < once.size(); t++) {
                float[] doubled = once.get(t).clone();
                for (int i = 0; i < doubled.length; i++) {
                    doubled[i] *= 2;
                }
                Golden.assertClose(network.parameters().names().get(t), doubled, twice.get(t), 1e-5, 1e-6);
            }
        }
    }

    private static List<float[]> gradients(Running network) {
        return network.parameters().names().stream().map(n -> network.parameters().gradient(n).toFloats()).toList();
    }

    /** The masks of a pass are a function of its seed, and the mean over seeds is what no dropout gives, about. */
    @Test
    void dropoutIsOfItsSeed() {
        try (Running network = Running.of(Kind.M.config(TinyHypernetworks.RAW, true), 0.2f)) {
            float[] one = first(network.forward());
            float[] same = first(network.forward());
            float[] other = first(network.training().forward(network.embeddings(), 0.2f, 100));
            assertTrue(Arrays.equals(one, same));
            assertNotEquals(Arrays.toString(one), Arrays.toString(other));
        }
    }

    private static float[] first(List<GeneratedLora> adapters) {
        return adapters.getFirst().factors().tensors().values().iterator().next().toFloats();
    }

    @Test
    void misuse() {
        try (Running network = Running.of(Kind.L.config(TinyHypernetworks.RAW, true), 0)) {
            assertThrows(IllegalStateException.class, () -> network.training().gradients());
            assertThrows(IllegalArgumentException.class, () -> network.training().forward(Tensor.ofFloats(new float[4], 1, 4), 0, 0));
            List<GeneratedLora> adapters = network.forward();
            assertThrows(IllegalArgumentException.class, () -> network.training().backward(adapters.subList(0, 1)));
            network.training().backward(adapters);
            assertThrows(IllegalStateException.class, () -> network.training().backward(adapters), "a second backward of one forward");
        }
    }

    @TestFactory
    Stream<DynamicTest> sameBitsAsHypernetwork() {
        return EachBackend.of("hypernet", HyperTrainingTest::sameBits);
    }

    private static void sameBits(Path folder, Backend backend) {
        try (HyperCheckpoint checkpoint = HyperCheckpoint.load(folder); SafeTensors expected = SafeTensors.open(folder.resolve("expected.safetensors"))) {
            HyperConfig config = checkpoint.config();
            if (config.training().output() != HyperConfig.Output.OFFSET) { // training sees what the heads give
                config = new HyperConfig(config.architecture(), config.lora(), config.targets(), TinyHypernetworks.RAW, config.origin());
            }
            Tensor embeddings = backend.place(expected.weights().get("task_embs"));
            try (var parameters = new Parameters(backend, HyperParameters.of(config).trainableTable());
                    var network = new Hypernetwork(config, checkpoint.weights(), backend);
                    var training = new HyperTraining(config, parameters.values(), parameters.gradients(), checkpoint.weights(), backend)) {
                parameters.upload(parameters.values(), checkpoint.weights());
                List<GeneratedLora> want = new ArrayList<>(network.generate(embeddings));
                List<GeneratedLora> got = training.forward(embeddings, 0, 0);
                for (int i = 0; i < want.size(); i++) {
                    if (backend.name().equals("cuda")) {
                        HyperFamily.assertClose("adapter " + i, HyperFamily.host(want.get(i).lora(), backend), got.get(i).lora(), backend, Golden.description(folder));
                    } else {
                        HyperFamily.assertSameBits(want.get(i).lora(), got.get(i).lora(), backend);
                    }
                }
                want.forEach(GeneratedLora::close);
            }
        }
    }
}
