package dev.t2l.model;

import static dev.t2l.Golden.assertClose;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.t2l.EachBackend;
import dev.t2l.backend.Activation;
import dev.t2l.backend.Backend;
import dev.t2l.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Tiny encoders whose weights are a formula, with values that the peers computed for them: element k of tensor t is
 * {@code 0.2 sin(0.7 (t+1) + 0.37 k)}, plus 1 in the weight of a norm.
 */
class FormulaEncoderTest {
    private static final int H = 16;
    private static final int INNER = 24;
    private static final int VOCABULARY = 32;
    private static final int[] SIX = {5, 9, 17, 31, 2, 11};
    private static final int[] TWENTY = IntStream.range(0, 20).map(i -> (7 * i + 3) % 32).toArray();
    private static final double ATOL = 5e-6;

    /** Tensors numbered in the order they are added. */
    private static final class Formula {
        final Map<String, Tensor> tensors = new LinkedHashMap<>();

        Formula add(String name, long... shape) {
            int n = Math.toIntExact(Tensor.elements(shape));
            boolean norm = name.endsWith("LayerNorm.weight") || name.endsWith("_ln.weight");
            float[] values = new float[n];
            for (int k = 0; k < n; k++) {
                values[k] = (float) (0.2 * Math.sin(0.7 * (tensors.size() + 1) + 0.37 * k) + (norm ? 1 : 0));
            }
            tensors.put(name, Tensor.ofFloats(values, shape));
            return this;
        }

        Formula dense(String name, long out, long in) {
            return add(name + ".weight", out, in).add(name + ".bias", out);
        }

        Formula norm(String name) {
            return add(name + ".weight", H).add(name + ".bias", H);
        }
    }

    @TestFactory
    Stream<DynamicTest> gteLikeLarge() {
        return each(backend -> gte(backend, 2, RopeFrequencies.ntk(8, 160_000, 2)), (backend, encoder) -> {
            float[] six = hidden(backend, encoder, TokenBatch.of(SIX));
            assertRow("ids6", six, 0, 0.1157756f, -0.8048370f, 0.6406282f, 1.0090224f, 0.2158121f, 2.4541805f, -0.0208535f, 1.7624665f,
                    0.5273972f, -0.2038506f, 0.7211697f, -1.5047644f, -0.0131544f, -1.8205000f, -0.8809960f, -1.2202014f);
            assertRow("ids6, last token", six, 5, 0.7603642f, -0.6347276f, 0.1473198f, 1.2205063f);
            assertRow("ids6 with types", hidden(backend, encoder, TokenBatch.withTypes(new int[][] {SIX}, new int[][] {{0, 0, 0, 1, 1, 1}})), 0,
                    -0.1465487f, -0.8800761f, 0.8986329f, 0.5357751f, 0.7623196f, 2.0724831f);
            assertRow("ids20", hidden(backend, encoder, TokenBatch.of(TWENTY)), 0, 0.3238374f, -0.4788382f, 0.9852505f, 1.1390691f, 0.5305666f,
                    2.2800868f, 0.0695233f, 1.4702060f, 0.2332329f, -0.3422258f, 0.2215666f, -1.5803130f, -0.2408045f, -1.9943782f, -0.6884478f, -1.2995304f);
        });
    }

    @TestFactory
    Stream<DynamicTest> gteLikeBaseWithoutTypes() {
        return each(backend -> gte(backend, 0, RopeFrequencies.ntk(8, 500_000, 2)), (backend, encoder) -> {
            float[] both = hidden(backend, encoder, TokenBatch.of(SIX, TWENTY));
            assertRow("ids6", both, 0, -0.1108669f, 0.4896367f, 1.2287198f, 0.1141360f, 1.7845181f, -0.1924993f, 1.1475974f, -0.1412599f,
                    -0.5932170f, 0.3600523f, -1.9319795f, 0.2261110f, -1.3509144f, -0.9414745f, 0.2538629f, -1.4131345f);
            assertRow("ids20", both, 6, -0.3714043f, 1.1300530f, 0.5062261f, 0.6657903f, 1.4421842f, -0.4192617f, 1.5452117f, -0.9710743f,
                    0.0604511f, -0.2086596f, -1.7864504f, 0.5120491f, -1.9429719f, -0.0260725f, -0.5689614f, -0.6862572f);
        });
    }

    @TestFactory
    Stream<DynamicTest> gteWithoutScaling() {
        return each(backend -> gte(backend, 2, RopeFrequencies.plain(8, 160_000)), (backend, encoder) ->
            assertRow("ids6", hidden(backend, encoder, TokenBatch.of(SIX)), 0, -0.0038240f, -0.8149985f, 0.7239000f, 0.8947135f, 0.4175203f,
                    2.3802097f, 0.1096291f, 1.8554969f, 0.4676286f, 0.0231029f, 0.5559665f, -1.3369789f, -0.0841789f, -1.8824086f, -0.7827284f, -1.4368643f));
    }

    @TestFactory
    Stream<DynamicTest> gteWithMixedScaling() {
        return each(backend -> gte(backend, 2, RopeFrequencies.mixedNtk(8, 160_000, 2, 0.625)), (backend, encoder) ->
            assertRow("ids6", hidden(backend, encoder, TokenBatch.of(SIX)), 0, 0.1932755f, -0.7842143f, 0.5827596f, 1.0814615f, 0.0863468f,
                    2.4811757f, -0.1004473f, 1.6800882f, 0.5635952f, -0.3555256f, 0.8173980f, -1.6026019f, 0.0259878f, -1.7653394f, -0.9402761f, -1.0693927f));
    }

    @TestFactory
    Stream<DynamicTest> bert() {
        return each(FormulaEncoderTest::bert, (backend, encoder) -> {
            assertRow("cls", pooled(backend, encoder, Pooling.CLS), 0, 0.6377948f, -1.5712233f, 1.7203106f, -0.8665518f, 1.0663714f, 0.7540885f,
                    -0.2021503f, 1.4878571f, -0.7600214f, 0.8422678f, -0.3847274f, -0.5075187f, 0.3549207f, -1.5019315f, 0.5994022f, -1.2298353f);
            assertRow("mean", pooled(backend, encoder, Pooling.MEAN), 0, 0.6353847f, -1.5237546f, 1.7403420f, -0.8520031f, 1.0894788f, 0.7516481f,
                    -0.2007700f, 1.4838207f, -0.7709447f, 0.8342869f, -0.4000974f, -0.5139301f, 0.3349794f, -1.5047877f, 0.5947864f, -1.2366262f);
        });
    }

    @TestFactory
    Stream<DynamicTest> paddingLeavesTheBits() {
        return Stream.concat(each(FormulaEncoderTest::bert, FormulaEncoderTest::assertPadded),
                each(backend -> gte(backend, 2, RopeFrequencies.plain(8, 160_000)), FormulaEncoderTest::assertPadded));
    }

    /** A long text before the short one leaves nothing behind that is seen. */
    private static void assertPadded(Backend backend, Encoder encoder) {
        int[] sixteen = Arrays.copyOf(TWENTY, 16);
        for (Pooling pooling : Pooling.values()) {
            Tensor out = backend.place(Tensor.ofFloats(new float[H], 1, H));
            try (EncoderPass pass = new EncoderPass(backend, encoder, pooling, 40)) {
                pass.set(sixteen, 40);
                pass.run(out, 40);
                for (int rows : new int[] {6, 7, 40}) {
                    backend.await();
                    pass.set(SIX, rows);
                    pass.run(out, rows);
                    assertArrayEquals(pooled(backend, encoder, pooling), Teacher.floats(backend, out), pooling + ", padded to " + rows);
                }
            }
        }
    }

    @TestFactory
    Stream<DynamicTest> aTextHasTheSameBitsAloneAndInABatch() {
        return each(FormulaEncoderTest::bert, (backend, encoder) -> {
            float[] alone = hidden(backend, encoder, TokenBatch.of(SIX));
            float[] together = hidden(backend, encoder, TokenBatch.of(new int[] {1}, new int[] {30, 20, 10}, SIX, new int[] {7, 7}));
            assertArrayEquals(alone, Arrays.copyOfRange(together, 4 * H, 10 * H));
        });
    }

    private interface Maker {
        Encoder make(Backend backend);
    }

    private interface Body {
        void run(Backend backend, Encoder encoder);
    }

    private static Stream<DynamicTest> each(Maker maker, Body body) {
        return EachBackend.available().stream().map(name -> DynamicTest.dynamicTest("on " + name, () -> {
            try (Backend backend = Backend.open(name); Encoder encoder = maker.make(backend)) {
                body.run(backend, encoder);
            }
        }));
    }

    private static Encoder gte(Backend backend, int types, float[] invFreq) {
        var formula = new Formula().add("embeddings.word_embeddings.weight", VOCABULARY, H);
        if (types > 0) {
            formula.add("embeddings.token_type_embeddings.weight", types, H);
        }
        formula.norm("embeddings.LayerNorm");
        for (int n = 0; n < 2; n++) {
            String at = "encoder.layer." + n + ".";
            formula.dense(at + "attention.qkv_proj", 3 * H, H).dense(at + "attention.o_proj", H, H).norm(at + "attn_ln")
                    .add(at + "mlp.up_gate_proj.weight", 2 * INNER, H).dense(at + "mlp.down_proj", H, INNER).norm(at + "mlp_ln");
        }
        var config = new GteConfig(H, 2, 2, INNER, VOCABULARY, types, 1e-12f, Activation.GELU, invFreq);
        return new GteEncoder(backend, config, GteWeights.of(ModelTensors.ofHuggingFace(Path.of("formula"), formula.tensors, "new.", backend.placement()), config), () -> { });
    }

    private static Encoder bert(Backend backend) {
        var formula = new Formula().add("embeddings.word_embeddings.weight", VOCABULARY, H).add("embeddings.position_embeddings.weight", 16, H)
                .add("embeddings.token_type_embeddings.weight", 2, H).norm("embeddings.LayerNorm");
        for (int n = 0; n < 2; n++) {
            String at = "encoder.layer." + n + ".";
            formula.dense(at + "attention.self.query", H, H).dense(at + "attention.self.key", H, H).dense(at + "attention.self.value", H, H)
                    .dense(at + "attention.output.dense", H, H).norm(at + "attention.output.LayerNorm")
                    .dense(at + "intermediate.dense", INNER, H).dense(at + "output.dense", H, INNER).norm(at + "output.LayerNorm");
        }
        var config = new BertConfig(H, 2, 2, INNER, VOCABULARY, 16, 2, 1e-12f, Activation.GELU);
        return new BertEncoder(backend, config, BertWeights.of(ModelTensors.ofHuggingFace(Path.of("formula"), formula.tensors, "bert.", backend.placement()), config), () -> { });
    }

    private static float[] hidden(Backend backend, Encoder encoder, TokenBatch batch) {
        try (EncoderWorkspace space = encoder.workspace(batch.rows(), batch.texts())) {
            return Teacher.floats(backend, encoder.forward(batch, space));
        }
    }

    private static float[] pooled(Backend backend, Encoder encoder, Pooling pooling) {
        Tensor out = backend.place(Tensor.ofFloats(new float[H], 1, H));
        TokenBatch batch = TokenBatch.of(SIX);
        try (EncoderWorkspace space = encoder.workspace(batch.rows(), batch.texts())) {
            pooling.forward(backend, out, encoder.forward(batch, space), space);
            return Teacher.floats(backend, out);
        }
    }

    private static void assertRow(String what, float[] rows, int row, float... want) {
        assertClose(what, want, Arrays.copyOfRange(rows, row * H, row * H + want.length), 0, ATOL);
    }
}
