package dev.t2l.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufAdapterTest {
    @TempDir
    Path folder;

    private static Pair pair(int rank, float scale) {
        float[] a = new float[rank * 4];
        float[] b = new float[8 * rank];
        for (int i = 0; i < b.length; i++) {
            a[i % a.length] = i;
            b[i] = i - 7;
        }
        return new Pair(Tensor.ofFloats(a, rank, 4), Tensor.ofFloats(b, 8, rank), scale);
    }

    @Test
    void scalesThatOneAlphaCannotHoldAreFoldedIntoB() {
        Map<Site, Pair> pairs = new LinkedHashMap<>();
        pairs.put(new Site(0, Projection.Q), pair(2, 3));
        pairs.put(new Site(0, Projection.K), pair(4, 0.5f));
        pairs.put(new Site(1, Projection.DOWN), pair(1, 0));
        Path file = folder.resolve("a.gguf");
        var heads = new GgufAdapter.Heads(4, 2);
        new GgufAdapter("llama", new LoraWeights(pairs)).write(file, "test", heads, DType.F32);
        LoraWeights read = GgufAdapter.read(file, heads).weights();
        pairs.forEach((site, pair) -> {
            Pair got = read.pairs().get(site);
            for (int i = 0; i < pair.b().elements(); i++) {
                assertEquals(pair.scale() * pair.b().getFloat(i), got.scale() * got.b().getFloat(i), 1e-5f, site + " " + i);
            }
        });
        assertEquals(3, read.at(0, Projection.Q).scale());
    }

    @Test
    void anAlphaOfZeroMeansScaleOne() {
        Path file = folder.resolve("a.gguf");
        Gguf.write(file, metadata("qwen2", 0f), tensors("blk.0.attn_q.weight"));
        assertEquals(1, GgufAdapter.read(file, null).weights().at(0, Projection.Q).scale());
    }

    @Test
    void whatIsNotSupportedIsRefused() {
        refused("key 'general.architecture'", metadata("gpt2", 1f), tensors("blk.0.attn_q.weight"));
        refused("key 'general.type'", Map.of("general.type", "model"), Map.of());
        refused("blk.0.attn_qkv", metadata("qwen2", 1f), tensors("blk.0.attn_qkv.weight"));
        refused("no LoRA pair", metadata("qwen2", 1f), Map.of());
        refused("layers.0.self_attn.q_proj", metadata("qwen2", 1f), Map.of("blk.0.attn_q.weight.lora_a", pair(2, 1).a()));
        refused("is NaN", metadata("qwen2", 1f), Map.of("blk.0.attn_q.weight.lora_a", Tensor.ofFloats(new float[] {Float.NaN}, 1, 1)));
        Path file = folder.resolve("a.gguf");
        Gguf.write(file, metadata("llama", 1f), tensors("blk.0.attn_q.weight"));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> GgufAdapter.read(file, null)).getMessage().contains("heads"));
    }

    private void refused(String named, Map<String, Object> metadata, Map<String, Tensor> tensors) {
        Path file = folder.resolve("a.gguf");
        Gguf.write(file, metadata, tensors);
        String message = assertThrows(FormatException.class, () -> GgufAdapter.read(file, null)).getMessage();
        assertTrue(message.contains(named), message);
    }

    private static Map<String, Object> metadata(String architecture, float alpha) {
        return Map.of("general.architecture", architecture, "general.type", "adapter", "adapter.type", "lora", "adapter.lora.alpha", alpha);
    }

    private static Map<String, Tensor> tensors(String stem) {
        return Map.of(stem + ".lora_a", pair(2, 1).a(), stem + ".lora_b", pair(2, 1).b());
    }
}
