package dev.t2l.hyper;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Adapters of golden files, and how generated ones are read and compared. */
final class HyperFamily {
    private static final Pattern PEFT = Pattern.compile("base_model\\.model\\.model\\.layers\\.(\\d+)\\.(?:self_attn|mlp)\\.(\\w+)\\.lora_([AB])\\.weight");

    private HyperFamily() {
    }

    /** The matrices under {@code prefix} as an adapter. */
    static LoraWeights adapter(Weights file, String prefix, float scale) {
        Map<Site, Tensor> a = new HashMap<>();
        Map<Site, Tensor> b = new HashMap<>();
        file.tensors().forEach((name, tensor) -> {
            Matcher m = PEFT.matcher(name.startsWith(prefix) ? name.substring(prefix.length()) : "");
            if (m.matches()) {
                var site = new Site(Integer.parseInt(m.group(1)), Projection.byPeftName(m.group(2)).orElseThrow());
                (m.group(3).equals("A") ? a : b).put(site, tensor);
            }
        });
        Map<Site, Pair> pairs = new HashMap<>();
        a.forEach((site, matrix) -> pairs.put(site, new Pair(matrix, b.get(site), scale)));
        assertEquals(a.keySet(), b.keySet());
        return new LoraWeights(pairs);
    }

    static boolean has(Weights file, String prefix) {
        return file.tensors().keySet().stream().anyMatch(n -> n.startsWith(prefix) && PEFT.matcher(n.substring(prefix.length())).matches());
    }

    /** Every matrix of {@code want} within the case's tolerance, and the sites and scales the same. */
    static void assertClose(String what, LoraWeights want, LoraWeights got, Backend backend, JsonNode about) {
        assertEquals(want.pairs().keySet(), got.pairs().keySet(), what);
        want.pairs().forEach((site, pair) -> assertClose(what + " " + site, pair, got.pairs().get(site), backend, about));
    }

    static void assertClose(String what, Pair want, Pair got, Backend backend, JsonNode about) {
        double rtol = about.get("rtol").asDouble();
        double atol = about.path("atol").asDouble();
        assertEquals(want.scale(), got.scale(), 1e-6 * Math.abs(want.scale()), what + " scale");
        Golden.assertClose(what + " A", want.a().toFloats(), floats(backend, got.a()), rtol, atol);
        Golden.assertClose(what + " B", want.b().toFloats(), floats(backend, got.b()), rtol, atol);
    }

    static void assertSameBits(LoraWeights want, LoraWeights got, Backend backend) {
        assertEquals(want.pairs().keySet(), got.pairs().keySet());
        want.pairs().forEach((site, pair) -> {
            Pair other = got.pairs().get(site);
            assertTrue(Arrays.equals(bytes(backend, pair.a()), bytes(backend, other.a())), site + " A");
            assertTrue(Arrays.equals(bytes(backend, pair.b()), bytes(backend, other.b())), site + " B");
        });
    }

    /** A copy that the host can read. */
    static LoraWeights host(LoraWeights lora, Backend backend) {
        Map<Site, Pair> pairs = new HashMap<>();
        lora.pairs().forEach((site, pair) -> pairs.put(site, new Pair(host(pair.a(), backend), host(pair.b(), backend), pair.scale())));
        return new LoraWeights(pairs);
    }

    private static Tensor host(Tensor tensor, Backend backend) {
        return Tensor.ofFloats(floats(backend, tensor), tensor.rows(), tensor.cols());
    }

    static float[] floats(Backend backend, Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(tensor.bytes(), 64);
            backend.download(host, tensor);
            return host.toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    private static byte[] bytes(Backend backend, Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(tensor.bytes(), 64);
            backend.download(host, tensor);
            return host.toArray(ValueLayout.JAVA_BYTE);
        }
    }
}
