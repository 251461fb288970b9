package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Plain Java's backward kernels against finite differences of its forward ones. The loss is {@code sum of out * r} with a fixed random r
 * (a plain sum has gradient 0 through a softmax), summed in double; differences take four points (f(x +- h), f(x +- 2h)), so that their
 * error is of order h^4.
 */
class GradientsTest {
    private static final double TOLERANCE = 2e-4; // of the largest gradient
    private final KernelData data = new KernelData();
    private final JavaBackend java = new JavaBackend();
    private final Gradients gradients = java.gradients();

    /** The forward's result, and the weights of its elements in the loss. */
    private record Loss(Tensor out, Tensor r, Consumer<Tensor> forward) {
        double value() {
            forward.accept(out);
            double sum = 0;
            for (long i = 0; i < out.elements(); i++) {
                sum += (double) out.getFloat(i) * r.getFloat(i);
            }
            return sum;
        }

        /** The loss with x[i] changed by delta. */
        double at(Tensor x, long i, float delta) {
            float before = x.getFloat(i);
            x.setFloat(i, before + delta);
            double value = value();
            x.setFloat(i, before);
            return value;
        }
    }

    private Loss loss(long[] shape, Consumer<Tensor> forward) {
        return new Loss(KernelData.zeros(shape), data.normal(shape), forward);
    }

    /** {@code got} is the loss's gradient with respect to x. */
    private static void assertGradient(Tensor x, Tensor got, Loss loss) {
        float h = 0x1p-5f;
        double[] want = new double[(int) x.elements()];
        double largest = 0;
        for (int i = 0; i < want.length; i++) {
            double near = loss.at(x, i, h) - loss.at(x, i, -h);
            double far = loss.at(x, i, 2 * h) - loss.at(x, i, -2 * h);
            want[i] = (8 * near - far) / (12 * h);
            largest = Math.max(largest, Math.abs(want[i]));
        }
        assertTrue(largest > 1e-3, "a loss that does not depend on x proves nothing");
        for (int i = 0; i < want.length; i++) {
            int place = i;
            assertTrue(Math.abs(got.getFloat(i) - want[i]) <= TOLERANCE * largest,
                    () -> "gradient " + place + " is " + got.getFloat(place) + ", wanted " + want[place]);
        }
    }

    /** What a backward adds to something that is there before. */
    private Tensor added(Tensor like, Consumer<Tensor> backward) {
        Tensor before = data.normal(like.shape());
        Tensor after = KernelData.copy(before);
        backward.accept(after);
        java.add(after, before, -1);
        return after;
    }

    private static Tensor written(Tensor like, Consumer<Tensor> backward) {
        Tensor result = KernelData.zeros(like.shape());
        poison(result);
        backward.accept(result);
        return result;
    }

    /** So that what is not written shows. */
    private static void poison(Tensor t) {
        for (long i = 0; i < t.elements(); i++) {
            t.setFloat(i, Float.NaN);
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "BF16", "Q4_1"})
    void linear(DType type) {
        int in = type.quantised() ? 64 : 13;
        Tensor x = data.normal(3, in);
        Tensor w = data.weights(type, 7, in);
        Loss loss = loss(new long[] {3, 7}, y -> java.linear(y, x, w, null));
        assertGradient(x, written(x, dx -> gradients.linearBackward(dx, loss.r(), w, false)), loss);
        assertGradient(x, added(x, dx -> gradients.linearBackward(dx, loss.r(), w, true)), loss);
    }

    @Test
    void linearGradient() {
        Tensor x = data.normal(5, 13);
        Tensor w = data.normal(7, 13);
        Tensor bias = data.normal(7);
        Loss loss = loss(new long[] {5, 7}, y -> java.linear(y, x, w, bias));
        assertGradient(w, added(w, dw -> gradients.linearGradient(dw, KernelData.zeros(7), loss.r(), x)), loss);
        assertGradient(w, added(w, dw -> gradients.linearGradient(dw, null, loss.r(), x)), loss);
        assertGradient(bias, added(bias, db -> gradients.linearGradient(KernelData.zeros(7, 13), db, loss.r(), x)), loss);
    }

    /** Several spans of different ranks, a span without rows, rows in no span; output rows in order, and interleaved in heads. */
    @ParameterizedTest
    @ValueSource(ints = {0, 6})
    void lora(int headDim) {
        Tensor x = data.normal(11, 9);
        TrainingData.Adapters adapters = new TrainingData(data).adapters(9, 12, headDim, new int[] {3, 1, 5}, new int[][] {{1, 5}, {5, 5}, {6, 10}});
        Loss loss = loss(new long[] {11, 12}, y -> {
            gradients.fill(y, 0);
            java.lora(y, x, adapters.rows(11));
        });
        Tensor dx = written(x, d -> gradients.loraBackward(d, loss.r(), x, adapters.gradients()));
        assertGradient(x, dx, loss);
        assertEquals(0, dx.getFloat(0));
        for (int k : new int[] {0, 2}) {
            LoraRows.Factor factor = adapters.gradients().factors().get(k);
            LoraRows.Factor gradient = adapters.gradients().gradients().get(k);
            adapters.clear();
            gradients.loraBackward(dx, loss.r(), x, adapters.gradients());
            assertGradient(factor.a(), gradient.a(), loss);
            assertGradient(factor.b(), gradient.b(), loss);
            gradients.loraBackward(dx, loss.r(), x, adapters.gradients()); // added
            java.add(gradient.a(), KernelData.copy(gradient.a()), -0.5f);
            assertGradient(factor.a(), gradient.a(), loss);
        }
    }

    @Test
    void loraFactor() {
        for (boolean transposed : new boolean[] {false, true}) {
            Tensor y = data.normal(2 * 40 + 5);
            long[] shape = transposed ? new long[] {2, 9, 3} : new long[] {2, 3, 9};
            Tensor scale = data.normal(shape);
            var source = new LoraFactor(5, 40, 11, transposed);
            for (Tensor factor : new Tensor[] {scale, null}) {
                Loss loss = loss(shape, out -> java.loraFactor(out, y, source, factor, scale));
                Tensor dy = KernelData.zeros(y.shape());
                gradients.loraFactorBackward(dy, loss.r(), source, factor);
                assertGradient(y, dy, loss);
            }
        }
    }

    /** Far from 0, where ReLU has no derivative. */
    private Tensor awayFromZero(long... shape) {
        Tensor x = data.normal(shape);
        for (long i = 0; i < x.elements(); i++) {
            x.setFloat(i, x.getFloat(i) + Math.copySign(0.25f, x.getFloat(i)));
        }
        return x;
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    void activation(Activation f) {
        Tensor x = awayFromZero(37);
        Loss loss = loss(x.shape(), out -> java.activation(out, x, f));
        assertGradient(x, written(x, dx -> gradients.activationBackward(dx, loss.r(), x, f)), loss);
        Tensor inPlace = KernelData.copy(loss.r());
        gradients.activationBackward(inPlace, inPlace, x, f);
        assertGradient(x, inPlace, loss);
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    void gated(Activation f) {
        Tensor gate = awayFromZero(19);
        Tensor up = data.normal(19);
        Loss loss = loss(gate.shape(), out -> java.gated(out, gate, up, f));
        Tensor dgate = KernelData.copy(gate);
        Tensor dup = KernelData.copy(up);
        gradients.gatedBackward(dgate, dup, loss.r(), dgate, dup, f);
        assertGradient(gate, dgate, loss);
        assertGradient(up, dup, loss);
    }

    @Test
    void softcap() {
        Tensor x = data.normal(23);
        Loss loss = loss(x.shape(), out -> {
            out.data().copyFrom(x.data());
            java.softcap(out, 1.5f);
        });
        loss.value();
        Tensor dx = KernelData.copy(loss.r());
        gradients.softcapBackward(dx, KernelData.copy(loss.out()), 1.5f);
        assertGradient(x, dx, loss);
    }

    @Test
    void gather() {
        Tensor table = data.normal(4, 5);
        Tensor ids = Tensor.ofInts(new int[] {2, 0, 2, 3, 2}, 5);
        Loss loss = loss(new long[] {5, 9}, out -> java.gather(out, 3, table, ids, 1.75f));
        assertGradient(table, added(table, d -> gradients.scatterAdd(d, loss.r(), 3, ids, 1.75f)), loss);
    }

    @ParameterizedTest
    @ValueSource(floats = {0, 1})
    void rmsNorm(float offset) {
        Tensor x = data.normal(3, 11);
        var norm = new Norm(data.weights(DType.BF16, 11), 0.01f, offset);
        Loss loss = loss(x.shape(), out -> java.rmsNorm(out, x, norm.weight(), norm.eps(), offset));
        assertGradient(x, written(x, dx -> gradients.rmsNormBackward(dx, loss.r(), x, norm, false)), loss);
        assertGradient(x, added(x, dx -> gradients.rmsNormBackward(dx, loss.r(), x, norm, true)), loss);
    }

    @Test
    void layerNorm() {
        Tensor x = data.normal(4, 11);
        Tensor w = data.normal(11);
        Tensor bias = data.normal(11);
        float eps = 0.01f;
        Loss loss = loss(x.shape(), out -> java.layerNorm(out, x, w, bias, eps));
        assertGradient(x, written(x, dx -> gradients.layerNormBackward(dx, null, null, loss.r(), x, w, eps, false)), loss);
        assertGradient(x, added(x, dx -> gradients.layerNormBackward(dx, null, null, loss.r(), x, w, eps, true)), loss);
        Tensor scratch = KernelData.zeros(x.shape());
        assertGradient(w, added(w, dw -> gradients.layerNormBackward(scratch, dw, KernelData.zeros(11), loss.r(), x, w, eps, false)), loss);
        assertGradient(bias, added(bias, db -> gradients.layerNormBackward(scratch, KernelData.zeros(11), db, loss.r(), x, w, eps, false)), loss);
    }

    /** By the rotation that a second pass with the negated sines is. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void rope(boolean interleaved) {
        Tensor x = data.normal(3, 2 * 10);
        Tensor angles = KernelData.zeros(3, 10);
        Tensor back = KernelData.zeros(3, 10);
        Tensor invFreq = Tensor.ofFloats(new float[] {1, 0.5f, 0.3f, 0.1f, 0.01f}, 5);
        java.ropeAngles(angles, Tensor.ofInts(new int[] {0, 3, 17}, 3), invFreq, 1.25f);
        java.ropeAngles(back, Tensor.ofInts(new int[] {0, -3, -17}, 3), invFreq, 1.25f);
        Loss loss = loss(x.shape(), out -> {
            out.data().copyFrom(x.data());
            java.rope(out, angles, interleaved);
        });
        Tensor dx = KernelData.copy(loss.r());
        java.rope(dx, back, interleaved);
        assertGradient(x, dx, loss);
    }

    /** Ragged causal and bidirectional sequences; grouped heads, windows, soft-caps. */
    @Test
    void attention() {
        for (boolean causal : new boolean[] {true, false}) {
            for (int window : causal ? new int[] {0, 3} : new int[] {0}) {
                for (float softcap : new float[] {0, 2}) {
                    var spec = new AttentionSpec(4, 2, 5, 0.6f, softcap, window);
                    Gradients.AttentionRows rows = TrainingData.sequences(causal, 5, 1, 7);
                    Tensor q = data.normal(13, 4 * 5);
                    Tensor k = data.normal(13, 2 * 5);
                    Tensor v = data.normal(13, 2 * 5);
                    Loss loss = loss(q.shape(), out -> java.attention(out, q, k, v, rows.ranges(), spec));
                    loss.value();
                    Tensor out = KernelData.copy(loss.out());
                    Tensor dq = KernelData.zeros(q.shape());
                    Tensor dk = KernelData.zeros(k.shape());
                    Tensor dv = KernelData.zeros(v.shape());
                    List.of(dq, dk, dv).forEach(GradientsTest::poison);
                    gradients.attentionBackward(dq, dk, dv, loss.r(), out, q, k, v, rows, spec);
                    assertGradient(q, dq, loss);
                    assertGradient(k, dk, loss);
                    assertGradient(v, dv, loss);
                }
            }
        }
    }

    /** The gradient by differences, and the loss by its definition: cross-entropy with (1 - s) at the label and s / V everywhere. */
    @ParameterizedTest
    @ValueSource(floats = {0, 0.1f})
    void crossEntropy(float smoothing) {
        int vocabulary = 17;
        Tensor logits = data.normal(4, vocabulary);
        Tensor labels = Tensor.ofInts(new int[] {3, -100, 16, 0}, 4);
        Tensor weight = Tensor.ofFloats(new float[] {0.5f, 3, 1.25f, 2}, 4);
        Tensor ones = Tensor.ofFloats(new float[] {1, 1, 1, 1}, 4);
        Tensor losses = KernelData.zeros(4);
        Function<Tensor, Tensor> gradient = out -> {
            Tensor d = KernelData.copy(logits);
            gradients.crossEntropy(out, d, labels, weight, smoothing);
            return d;
        };
        Tensor got = gradient.apply(losses);
        assertGradient(logits, got, new Loss(KernelData.zeros(4), ones, gradient::apply));
        for (int i = 0; i < 4; i++) {
            double total = 0;
            for (int c = 0; c < vocabulary; c++) {
                total += Math.exp(logits.getFloat(i * vocabulary + c));
            }
            double want = 0;
            for (int c = 0; c < vocabulary && labels.getInt(i) >= 0; c++) {
                double target = smoothing / vocabulary + (c == labels.getInt(i) ? 1 - smoothing : 0);
                want -= target * (logits.getFloat(i * vocabulary + c) - Math.log(total)) * weight.getFloat(i);
            }
            assertEquals(want, losses.getFloat(i), 1e-6 * Math.max(1, want));
        }
        for (int c = 0; c < vocabulary; c++) {
            assertEquals(0, got.getFloat(vocabulary + c), "an ignored row");
        }
    }

    @Test
    void distance() {
        for (boolean squared : new boolean[] {false, true}) {
            Tensor target = data.normal(21);
            Tensor x = awayFromZero(21);
            java.add(x, target, 1);
            Tensor one = Tensor.ofFloats(new float[] {1}, 1);
            Tensor dx = KernelData.zeros(21);
            Loss loss = new Loss(KernelData.zeros(1), one, out -> {
                out.setFloat(0, 3);
                gradients.distance(out, dx, x, target, 0.25f, squared);
            });
            double want = 3;
            for (int i = 0; i < 21; i++) {
                double gap = (double) x.getFloat(i) - target.getFloat(i);
                want += 0.25 * (squared ? gap * gap : Math.abs(gap));
            }
            assertEquals(want, loss.value(), 1e-6 * want);
            assertGradient(x, KernelData.copy(dx), loss);
        }
    }

    @Test
    void sumSquares() {
        Tensor x = Tensor.ofFloats(new float[] {3, -4, 0.5f}, 3);
        Tensor out = Tensor.ofFloats(new float[] {7, 7, 7}, 3);
        gradients.sumSquares(out, 1, x);
        assertEquals(25.25f, out.getFloat(1));
        assertEquals(7, out.getFloat(0));
        x.setFloat(1, Float.NaN);
        gradients.sumSquares(out, 1, x);
        assertTrue(Float.isNaN(out.getFloat(1)));
    }

    /** torch.optim.AdamW's documented steps, in double, over five steps with other gradients each. */
    @Test
    void adamW() {
        int n = 9;
        Tensor w = data.normal(n);
        Tensor m = KernelData.zeros(n);
        Tensor v = KernelData.zeros(n);
        double[] weights = new double[n];
        double[] first = new double[n];
        double[] second = new double[n];
        for (int i = 0; i < n; i++) {
            weights[i] = w.getFloat(i);
        }
        for (int t = 1; t <= 5; t++) {
            Tensor g = data.normal(n);
            double rate = 0.01 * t;
            gradients.adamW(w, g, m, v, new Gradients.AdamW((float) rate, 0.9f, 0.999f, 1e-8f, 0.1f, t, 0.5f));
            for (int i = 0; i < n; i++) {
                double gradient = 0.5 * g.getFloat(i);
                weights[i] -= rate * 0.1 * weights[i];
                first[i] = 0.9 * first[i] + (1 - 0.9) * gradient;
                second[i] = 0.999 * second[i] + (1 - 0.999) * gradient * gradient;
                double corrected = Math.sqrt(second[i]) / Math.sqrt(1 - Math.pow(0.999, t));
                weights[i] -= rate / (1 - Math.pow(0.9, t)) * first[i] / (corrected + 1e-8);
                assertEquals(weights[i], w.getFloat(i), 2e-6);
            }
        }
    }
}
