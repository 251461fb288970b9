package dev.t2l.model;

import static dev.t2l.Golden.assertClose;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.EachBackend;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.io.SafeTensors;
import dev.t2l.ops.L2Normalise;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * BERT, gte-v1.5 and last tokens of decoders against the Python peers: every unmasked hidden vector, the pooled forms, and gte's
 * frequencies. The padded batches of the peers run packed here, their masked tokens dropped.
 */
class EncoderGoldenTest {
    private record Case(Backend backend, Encoder encoder, Weights expected, double rtol, double atol) {
        void assertExpected(String name, float[] got) {
            assertClose(name, expected.get(name).toFloats(), got, rtol, atol);
        }
    }

    @TestFactory
    Stream<DynamicTest> encoders() {
        return EachBackend.of("encoders", (folder, backend) -> {
            JsonNode about = Golden.description(folder);
            double rtol = about.get("rtol").asDouble();
            double atol = about.get("atol").asDouble();
            try (SafeTensors file = SafeTensors.open(folder.resolve("expected.safetensors"))) {
                Weights expected = file.weights();
                if (expected.has("task_embs")) {
                    lastToken(folder, backend, expected, rtol, atol);
                    return;
                }
                try (Encoder encoder = Encoder.load(folder.resolve("model"), backend)) {
                    var c = new Case(backend, encoder, expected, rtol, atol);
                    switch (encoder) {
                        case BertEncoder bert -> bert(c);
                        case GteEncoder gte -> gte(c, gte.config());
                    }
                }
            }
        });
    }

    private static void bert(Case c) {
        int[][] ids = DecoderGoldenTest.ids(c.expected.get("input_ids"));
        int[][] mask = DecoderGoldenTest.ids(c.expected.get("attention_mask"));
        TokenBatch batch = TokenBatch.of(unmasked(ids, mask));
        assertHidden(c, "last_hidden", batch, mask);
        TokenBatch typed = TokenBatch.withTypes(unmasked(ids, mask), unmasked(DecoderGoldenTest.ids(c.expected.get("token_type_ids")), mask));
        assertHidden(c, "types_last_hidden", typed, mask);
        c.assertExpected("cls", pooled(c, batch, Pooling.CLS, 0));
        c.assertExpected("cls_l2", pooled(c, batch, Pooling.CLS, 1));
        c.assertExpected("t2l_cls", pooled(c, batch, Pooling.CLS, (float) Math.sqrt(c.encoder.width())));
        c.assertExpected("mean", pooled(c, batch, Pooling.MEAN, 0));
        c.assertExpected("mean_l2", pooled(c, batch, Pooling.MEAN, 1));
    }

    private static void gte(Case c, GteConfig config) {
        c.assertExpected("inv_freq", config.invFreq());
        for (String length : List.of("short", "long", "longest")) {
            int[][] mask = DecoderGoldenTest.ids(c.expected.get(length + ".attention_mask"));
            TokenBatch batch = TokenBatch.of(unmasked(DecoderGoldenTest.ids(c.expected.get(length + ".input_ids")), mask));
            assertHidden(c, length + ".last_hidden", batch, mask);
            c.assertExpected(length + ".cls", pooled(c, batch, Pooling.CLS, 0));
            c.assertExpected(length + ".t2l", pooled(c, batch, Pooling.CLS, (float) Math.sqrt(c.encoder.width())));
        }
        if (c.expected.has("types.token_type_ids")) {
            int[][] mask = DecoderGoldenTest.ids(c.expected.get("short.attention_mask"));
            int[][] ids = DecoderGoldenTest.ids(c.expected.get("short.input_ids"));
            int[][] types = DecoderGoldenTest.ids(c.expected.get("types.token_type_ids"));
            assertHidden(c, "types.last_hidden", TokenBatch.withTypes(unmasked(ids, mask), unmasked(types, mask)), mask);
        }
    }

    /** Texts padded on the left and on the right have the same vectors as alone; the peer's own bfloat16 is near by cosine. */
    private static void lastToken(Path folder, Backend backend, Weights expected, double rtol, double atol) {
        DecoderFile model = DecoderFile.open(folder.resolve("model"), backend);
        var decoder = new Decoder(backend, model.config(), model.weights());
        try (var embedder = new LastTokenEmbedder(decoder, model::close)) {
            int width = embedder.width();
            for (String side : List.of("left", "right")) {
                int[][] ids = unmasked(DecoderGoldenTest.ids(expected.get(side + ".input_ids")), DecoderGoldenTest.ids(expected.get(side + ".attention_mask")));
                Tensor out = backend.place(Tensor.ofFloats(new float[ids.length * width], ids.length, width));
                embedder.embed(ids, out);
                L2Normalise.forward(backend, out, (float) Math.sqrt(width));
                float[] got = Teacher.floats(backend, out);
                assertClose(side + ".task_embs", expected.get(side + ".task_embs").toFloats(), got, rtol, atol);
                assertClose("task_embs", expected.get("task_embs").toFloats(), got, rtol, atol);
                float[] half = expected.get("task_embs_bf16").toFloats();
                for (int text = 0; text < ids.length; text++) {
                    double dot = 0;
                    for (int j = 0; j < width; j++) {
                        dot += (double) got[text * width + j] * half[text * width + j];
                    }
                    assertTrue(dot / width > 0.999, "cosine of text " + text + " with bfloat16: " + dot / width);
                }
            }
        }
    }

    private static void assertHidden(Case c, String name, TokenBatch batch, int[][] mask) {
        try (EncoderWorkspace space = c.encoder.workspace(batch.rows(), batch.texts())) {
            float[] got = Teacher.floats(c.backend, c.encoder.forward(batch, space));
            float[] padded = c.expected.get(name).toFloats();
            int width = c.encoder.width();
            float[] want = new float[batch.rows() * width];
            int row = 0;
            for (int text = 0; text < mask.length; text++) {
                for (int t = 0; t < mask[text].length; t++) {
                    if (mask[text][t] != 0) {
                        System.arraycopy(padded, (text * mask[text].length + t) * width, want, row++ * width, width);
                    }
                }
            }
            assertEquals(batch.rows(), row);
            assertClose(name, want, got, c.rtol, c.atol);
        }
    }

    /** @param length of the normalised vectors; 0 = as they are */
    private static float[] pooled(Case c, TokenBatch batch, Pooling pooling, float length) {
        try (EncoderWorkspace space = c.encoder.workspace(batch.rows(), batch.texts());
                var memory = c.backend.allocate(4L * batch.texts() * c.encoder.width())) {
            Tensor out = Tensor.of(DType.F32, memory.segment(), batch.texts(), c.encoder.width());
            pooling.forward(c.backend, out, c.encoder.forward(batch, space), space);
            if (length != 0) {
                L2Normalise.forward(c.backend, out, length);
            }
            return Teacher.floats(c.backend, out);
        }
    }

    /** Each row's values where the mask is not 0. */
    private static int[][] unmasked(int[][] values, int[][] mask) {
        var rows = new ArrayList<int[]>();
        for (int r = 0; r < values.length; r++) {
            int row = r;
            rows.add(IntStream.range(0, values[r].length).filter(t -> mask[row][t] != 0).map(t -> values[row][t]).toArray());
        }
        return rows.toArray(int[][]::new);
    }
}
