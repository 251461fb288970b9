package dev.t2l;

import static dev.t2l.Golden.assertClose;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.backend.Backend;
import dev.t2l.io.Gguf;
import dev.t2l.io.SafeTensors;
import dev.t2l.model.Encoder;
import dev.t2l.model.GgufBertGoldenTest;
import dev.t2l.model.PooledEncoder;
import dev.t2l.model.Pooling;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import dev.t2l.text.Tokenizer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** Text in, vectors out, against the Python peers: token ids, task embeddings, sentence embeddings. */
class TextEncoderGoldenTest {

    /** Descriptions to the task embeddings of whole T2L folders, one by one and in one batch. */
    @TestFactory
    Stream<DynamicTest> endToEnd() {
        return EachBackend.of("end_to_end", (folder, backend) -> {
            JsonNode about = Golden.description(folder);
            List<String> descriptions = texts(about.get("descriptions"));
            Path named = folder.resolve(about.get("encoder").asText());
            Path model = Files.isDirectory(named) ? named : folder.resolve("base");
            try (Tokenizer tokenizer = Tokenizer.load(model)) {
                for (int i = 0; i < descriptions.size(); i++) {
                    assertArrayEquals(ints(about.get("token_ids").get(i)), tokenizer.encode(DescriptionFormat.FULL_STOP.apply(descriptions.get(i)), TextEncoder.TASK_TOKENS).ids(), descriptions.get(i));
                }
            }
            try (SafeTensors file = SafeTensors.open(folder.resolve("expected.safetensors")); TextEncoder encoder = TextEncoder.load(model, backend)) {
                double rtol = about.get("rtol").asDouble();
                double atol = about.get("atol").asDouble();
                float[] together = floats(backend, encoder.taskEmbeddings(descriptions));
                assertClose("task_embs_in_one_batch", file.weights().get("task_embs_in_one_batch").toFloats(), together, rtol, atol);
                for (int i = 0; i < descriptions.size(); i++) {
                    float[] alone = floats(backend, encoder.taskEmbeddings(List.of(descriptions.get(i))));
                    assertClose("task_embs " + i, file.weights().get("task_embs").get(i).toFloats(), alone, rtol, atol);
                }
            }
        });
    }

    /** BERT in GGUF, from text: the vocabulary inside gives the ids, the vectors have length 1. */
    @TestFactory
    Stream<DynamicTest> ggufBert() {
        return EachBackend.of("gguf_bert", (folder, backend) -> {
            JsonNode about = Golden.description(folder);
            List<String> texts = texts(about.get("texts"));
            try (SafeTensors file = SafeTensors.open(folder.resolve("expected.safetensors"))) {
                for (String kind : GgufBertGoldenTest.kinds(folder)) {
                    Path path = folder.resolve("model-" + kind + ".gguf");
                    try (Gguf gguf = Gguf.open(path); Tokenizer tokenizer = Tokenizer.of(gguf); TextEncoder encoder = TextEncoder.load(path, backend)) {
                        float[][] vectors = encoder.embed(texts);
                        for (int i = 0; i < texts.size(); i++) {
                            assertArrayEquals(ids(file.weights().get(i + ".ids"), 0, null), tokenizer.encode(texts.get(i), encoder.maxTokens()).ids(), texts.get(i));
                            float[] pooled = file.weights().get(i + "." + kind + ".pooled").toFloats();
                            assertClose(i + "." + kind, scaled(pooled, 1 / norm(pooled)), vectors[i], about.get("rtol").asDouble(), about.get("atol").asDouble());
                        }
                    }
                }
            }
        });
    }

    /** all-MiniLM-L6-v2 with its own folder's pooling, length and normalisation. */
    @Tag("models")
    @TestFactory
    Stream<DynamicTest> miniLm() {
        return EachBackend.of("minilm", (folder, backend) -> {
            Path model = Models.require("all-MiniLM-L6-v2");
            JsonNode about = Golden.description(folder);
            List<String> texts = texts(about.get("texts"));
            double rtol = about.get("rtol").asDouble();
            double atol = about.get("atol").asDouble();
            try (SafeTensors file = SafeTensors.open(folder.resolve("expected.safetensors")); Tokenizer tokenizer = Tokenizer.load(model);
                    TextEncoder encoder = TextEncoder.load(model, backend)) {
                Weights expected = file.weights();
                int[][] ids = texts.stream().map(text -> tokenizer.encode(text, encoder.maxTokens()).ids()).toArray(int[][]::new);
                for (int i = 0; i < texts.size(); i++) {
                    assertArrayEquals(ids(expected.get("input_ids"), i, expected.get("attention_mask")), ids[i], texts.get(i));
                }
                try (var means = new PooledEncoder(backend, Encoder.load(model, backend), Pooling.MEAN)) {
                    Tensor out = backend.place(Tensor.ofFloats(new float[ids.length * means.width()], ids.length, means.width()));
                    means.embed(ids, out);
                    assertClose("mean", expected.get("mean").toFloats(), floats(backend, out), rtol, atol);
                }
                float[][] vectors = encoder.embed(texts);
                for (int i = 0; i < texts.size(); i++) {
                    assertClose("sentence_embedding " + i, expected.get("sentence_embedding").get(i).toFloats(), vectors[i], rtol, atol);
                    float[] task = scaled(vectors[i], Math.sqrt(encoder.width()));
                    assertClose("t2l_embedding " + i, expected.get("t2l_embedding").get(i).toFloats(), task, rtol, atol);
                }
            }
        });
    }

    /** The task embeddings of the real run. */
    @Tag("models")
    @TestFactory
    Stream<DynamicTest> realRun() {
        return EachBackend.of("t2l_smollm2", (folder, backend) -> {
            Path model = Models.require("all-MiniLM-L6-v2");
            JsonNode about = Golden.description(folder);
            try (SafeTensors file = SafeTensors.open(folder.resolve("expected.safetensors")); TextEncoder encoder = TextEncoder.load(model, backend)) {
                for (int c = 0; c < about.get("cases").size(); c++) {
                    String description = about.get("cases").get(c).get("description").asText();
                    float[] got = floats(backend, encoder.taskEmbeddings(List.of(description)));
                    assertClose(description, file.weights().get(c + ".embedding").toFloats(), got, about.get("rtol").asDouble(), about.get("atol").asDouble());
                }
            }
        });
    }

    private static List<String> texts(JsonNode array) {
        var texts = new ArrayList<String>();
        array.forEach(text -> texts.add(text.asText()));
        return texts;
    }

    private static int[] ints(JsonNode array) {
        return IntStream.range(0, array.size()).map(i -> array.get(i).asInt()).toArray();
    }

    /** A row of an i64 matrix, where the mask (or null) is not 0. */
    private static int[] ids(Tensor matrix, int row, Tensor mask) {
        long cols = matrix.cols();
        return IntStream.range(0, (int) cols).filter(t -> mask == null || integer(mask, row * cols + t) != 0).map(t -> integer(matrix, row * cols + t)).toArray();
    }

    private static int integer(Tensor tensor, long i) {
        return (int) tensor.data().get(ValueLayout.JAVA_LONG_UNALIGNED, 8 * i);
    }

    private static double norm(float[] v) {
        return Math.sqrt(IntStream.range(0, v.length).mapToDouble(i -> (double) v[i] * v[i]).sum());
    }

    private static float[] scaled(float[] v, double factor) {
        float[] scaled = new float[v.length];
        for (int i = 0; i < v.length; i++) {
            scaled[i] = (float) (v[i] * factor);
        }
        return scaled;
    }

    private static float[] floats(Backend backend, Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(tensor.bytes(), 64);
            backend.download(host, tensor);
            return host.toArray(ValueLayout.JAVA_FLOAT);
        }
    }
}
