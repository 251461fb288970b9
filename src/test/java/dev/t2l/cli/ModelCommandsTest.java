package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.io.Gguf;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.PeftConfig;
import dev.t2l.model.TinyDecoder;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** export, inspect, embed and merge as typed. */
class ModelCommandsTest {
    private static final Path BERT = Path.of("src/test/golden/gguf_bert/cls/model-q8_0.gguf");
    private static final int BERT_WIDTH = 64;

    @TempDir
    Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private Path model;

    @BeforeEach
    void model() {
        model = TinyDecoder.write(folder.resolve("model"), "llama", "");
    }

    private int run(Object... args) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Main.commandLine(new PrintWriter(out, true), new PrintWriter(err, true)).execute(Arrays.stream(args).map(String::valueOf).toArray(String[]::new));
    }

    private void ok(Object... args) {
        assertEquals(0, run(args), err.toString());
    }

    private void fails(String why, Object... args) {
        assertEquals(1, run(args), out.toString());
        assertTrue(err.toString().contains(why), err.toString());
        assertEquals("", out.toString());
    }

    private Path peft() {
        Path at = folder.resolve("peft");
        PeftAdapter.write(at, TinyDecoder.adapter(), "tiny");
        return at;
    }

    @Test
    void exportsAModel() {
        Path target = folder.resolve("new/model.gguf");
        ok("export", model, "--out", target, "--type", "q8_0");
        assertTrue(out.toString().startsWith(target + ": 0."), out.toString());
        try (Gguf file = Gguf.open(target)) {
            assertEquals(DType.Q8_0, file.weights().get("blk.1.attn_output.weight").dtype());
        }
        ok("export", target, "--out", folder.resolve("half.gguf"), "--type", "F16");
        fails("is a folder", "export", model, "--out", folder);
        fails("--base is for adapters", "export", model, "--out", folder.resolve("x"), "--base", model);
        fails("no such file or folder", "export", folder.resolve("none"), "--out", folder.resolve("x"));
        assertEquals(2, run("export", model, "--out", folder.resolve("x"), "--type", "q2_k"));
        assertFalse(Files.exists(folder.resolve("x")));
    }

    @Test
    void exportsAdaptersBothWays() {
        Path peft = peft();
        Path gguf = folder.resolve("a.gguf");
        ok("export", peft, "--out", gguf, "--base", model);
        Path back = folder.resolve("back");
        fails("HINT: give the base model", "export", gguf, "--out", back);
        ok("export", gguf, "--out", back, "--base", model);
        LoraWeights read = PeftAdapter.read(back).weights();
        TinyDecoder.adapter().pairs().forEach((site, pair) -> {
            assertArrayEquals(pair.b().toFloats(), read.pairs().get(site).b().toFloats(), site.toString());
            assertEquals(pair.scale(), read.pairs().get(site).scale(), 1e-6);
        });
        assertEquals(model.toString(), PeftConfig.read(back).baseModel());
        fails("HINT: give the base model with --base", "export", peft, "--out", gguf);
        fails("adapters are written as", "export", peft, "--out", gguf, "--base", model, "--type", "q8_0");
        fails("is a file", "export", gguf, "--out", gguf, "--base", model);
    }

    @Test
    void mergesAdapters() {
        Path peft = peft();
        Path merged = folder.resolve("merged.gguf");
        ok("merge", "--base", model, "--adapter", peft + ":0.5", "--adapter", peft, "--out", merged);
        Path plain = folder.resolve("plain.gguf");
        ok("export", model, "--out", plain);
        try (Gguf a = Gguf.open(plain); Gguf b = Gguf.open(merged)) {
            a.weights().tensors().forEach((name, tensor) -> {
                boolean touched = name.matches("blk.*attn_[qv].weight");
                assertEquals(touched, !Arrays.equals(tensor.toFloats(), b.weights().get(name).toFloats()), name);
            });
            LoraWeights.Pair pair = TinyDecoder.adapter().at(0, Projection.V);
            float added = 1.5f * pair.scale() * (pair.b().getFloat(0) * pair.a().getFloat(0) + pair.b().getFloat(1) * pair.a().getFloat(pair.in()));
            assertEquals(added, b.weights().get("blk.0.attn_v.weight").getFloat(0) - a.weights().get("blk.0.attn_v.weight").getFloat(0), 1e-5);
        }
        ok("merge", "--base", plain, "--adapter", peft, "--out", merged, "--type", "bf16");
        fails("does not fit", "merge", "--base", model, "--adapter", narrow(), "--out", merged);
        assertEquals(2, run("merge", "--base", model, "--out", merged));
    }

    /** An adapter with itself is itself, whether its ranks are doubled or not. */
    @Test
    void averagesAdapters() {
        Path peft = peft();
        Path average = folder.resolve("average");
        ok("average", peft, peft + ":3", "--out", average, "--elementwise");
        LoraWeights.Pair one = TinyDecoder.adapter().at(0, Projection.V);
        LoraWeights.Pair twice = PeftAdapter.read(average).weights().at(0, Projection.V);
        assertEquals(2 * one.a().getFloat(0), twice.a().getFloat(0), 1e-6);
        assertEquals(one.rank(), twice.rank());
        ok("average", peft, peft, "--out", average);
        assertEquals(2 * one.rank(), PeftAdapter.read(average).weights().at(0, Projection.V).rank());
        fails("is a file", "average", peft, "--out", peft.resolve(PeftConfig.FILE));
        fails("one adapter is", "average", peft, narrow(), "--out", average);
        assertEquals(2, run("average", "--out", average));
    }

    private Path narrow() {
        var site = new LoraWeights.Site(0, Projection.Q);
        var pair = new LoraWeights.Pair(Tensor.ofFloats(new float[8], 1, 8), Tensor.ofFloats(new float[32], 32, 1), 1);
        PeftAdapter.write(folder.resolve("narrow"), new LoraWeights(Map.of(site, pair)), "tiny");
        return folder.resolve("narrow");
    }

    @Test
    void inspectsWhatItIsGiven() throws IOException {
        ok("inspect", model, "--json");
        JsonNode report = new ObjectMapper().readTree(out.toString());
        assertEquals("model folder", report.path("kind").asText());
        assertEquals(64 * 32 + 2 * (3 * 32 * 32 - 32 * 32 + 2 * 16 * 32 + 3 * 48 * 32 + 2 * 32) + 32, report.path("parameters").asLong());
        assertEquals("llama", report.path("about").path("model_type").asText());
        assertTrue(report.path("tensors").isMissingNode());
        ok("inspect", peft());
        assertTrue(out.toString().contains("PEFT adapter") && out.toString().contains("[q_proj, v_proj]"), out.toString());
        ok("inspect", model.resolve("model.safetensors"), "--tensors");
        assertTrue(out.toString().lines().anyMatch(l -> l.matches("model\\.layers\\.1\\.mlp\\.down_proj\\.weight +F32 +\\[32, 48] +0\\.006 MiB")), out.toString());
        ok("inspect", BERT);
        assertTrue(out.toString().lines().anyMatch(l -> l.matches("tokenizer\\.ggml\\.tokens +\\[\\[PAD], .*, \u2026 446 in all]")), out.toString());
        ok("inspect", Path.of("src/test/golden/hypernet/L_order"), "--json");
        JsonNode checkpoint = new ObjectMapper().readTree(out.toString());
        assertEquals("Text-to-LoRA checkpoint", checkpoint.path("kind").asText());
        assertEquals("L", checkpoint.path("about").path("variant").asText());
        Path odd = Files.writeString(folder.resolve("odd.txt"), "hello");
        fails("odd.txt: name: wanted a .gguf", "inspect", odd);
        fails("folder: wanted a model", "inspect", Files.createDirectory(folder.resolve("empty")));
    }

    @Test
    void embedsTexts() throws IOException {
        ok("embed", "--encoder", BERT, "the quick brown fox", "a");
        List<String> lines = out.toString().lines().toList();
        assertEquals(2, lines.size());
        double[] vector = Arrays.stream(lines.getFirst().split(" ")).mapToDouble(Double::parseDouble).toArray();
        assertEquals(BERT_WIDTH, vector.length);
        assertEquals(1, DoubleStream.of(vector).map(v -> v * v).sum(), 1e-6);
        ok("embed", "--encoder", BERT, "--backend", "java", "--task", "--json", "the quick brown fox");
        JsonNode report = new ObjectMapper().readTree(out.toString());
        assertEquals(BERT_WIDTH, report.path("width").asInt());
        assertEquals("the quick brown fox", report.at("/embeddings/0/text").asText());
        assertEquals(BERT_WIDTH, report.at("/embeddings/0/vector").valueStream().mapToDouble(v -> v.asDouble() * v.asDouble()).sum(), 1e-3);
    }

    @Test
    void embedsTheLinesOfStandardInput() {
        InputStream before = System.in;
        try {
            System.setIn(new ByteArrayInputStream("a\n\nna\u00efve\n".getBytes(StandardCharsets.UTF_8)));
            ok("embed", "--encoder", BERT);
            List<String> lines = out.toString().lines().toList();
            assertEquals(3, lines.size(), "an empty line is a text");
            ok("embed", "--encoder", BERT, "a", "", "na\u00efve");
            assertEquals(lines, out.toString().lines().toList());
            System.setIn(InputStream.nullInputStream());
            ok("embed", "--encoder", BERT);
            assertEquals("", out.toString());
        } finally {
            System.setIn(before);
        }
    }
}
