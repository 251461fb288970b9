package dev.t2l.io;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.HeadRows;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A LoRA adapter as llama.cpp keeps it: one GGUF file with {@code adapter.lora.alpha} and tensors {@code blk.<l>.attn_q.weight.lora_a}
 * ([r, in]) and {@code .lora_b} ([out, r]). The scale is alpha/r, or 1 where alpha is 0. For the architecture {@code llama} (Llama and
 * Mistral) the rows of B of q and k are in GGUF's order ({@link HeadRows}); here they are in PEFT's.
 *
 * @param architecture {@code general.architecture} of the base: llama, gemma2, qwen2, qwen3
 */
public record GgufAdapter(String architecture, LoraWeights weights) {
    private static final Set<String> ARCHITECTURES = Set.of("llama", "gemma2", "qwen2", "qwen3");
    private static final Set<DType> WRITABLE = Set.of(DType.F32, DType.F16, DType.BF16);
    private static final Pattern NAME = Pattern.compile("blk\\.(\\d{1,6})\\.(\\w+)\\.weight\\.lora_([ab])");
    private static final String INVOCATION = "adapter.alora.invocation_tokens";

    /** The heads of the base model, by which q and k rows are ordered. */
    public record Heads(int heads, int kvHeads) {
        private int of(Projection projection) {
            return projection == Projection.Q ? heads : kvHeads;
        }
    }

    public GgufAdapter {
        if (!ARCHITECTURES.contains(architecture)) {
            throw new IllegalArgumentException("the layout of '" + architecture + "' adapters is not known, only of " + ARCHITECTURES);
        }
    }

    /**
     * Reads an adapter.
     *
     * @param heads of the base; may be null where no q or k of a llama is adapted
     * @throws FormatException if something is broken, missing, not a number or not supported
     * @throws IllegalArgumentException if heads are needed and null
     */
    public static GgufAdapter read(Path path, Heads heads) {
        try (var gguf = Gguf.open(path)) {
            want(gguf, "general.type", "adapter");
            want(gguf, "adapter.type", "lora");
            String architecture = gguf.string("general.architecture");
            if (!ARCHITECTURES.contains(architecture)) {
                throw gguf.problem("general.architecture", "the layout of '" + architecture + "' adapters is not known, only of " + ARCHITECTURES);
            }
            if (gguf.has(INVOCATION)) {
                throw gguf.problem(INVOCATION, "adapters that start at certain tokens are not supported");
            }
            return new GgufAdapter(architecture, new Reader(gguf, architecture, heads).weights());
        }
    }

    /**
     * Writes the file that llama.cpp loads. One alpha serves all pairs: the product of a pair whose scale differs from alpha/r is
     * scaled in its B.
     *
     * @param heads of the base; may be null where no q or k of a llama is adapted
     * @param dtype of the matrices: F32, F16 or BF16
     */
    public void write(Path path, String name, Heads heads, DType dtype) {
        if (!WRITABLE.contains(dtype)) {
            throw new IllegalArgumentException("adapters are written as " + WRITABLE + ", not " + dtype);
        }
        float alpha = (float) weights.pairs().values().stream().mapToDouble(p -> (double) p.scale() * p.rank()).filter(a -> a != 0).findFirst().orElse(1);
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("general.architecture", architecture);
        metadata.put("general.type", "adapter");
        metadata.put("adapter.type", "lora");
        metadata.put("adapter.lora.alpha", alpha);
        metadata.put("general.name", name);
        var writer = new GgufWriter(metadata);
        weights.pairs().forEach((site, pair) -> {
            String stem = "blk." + site.layer() + "." + site.projection().ggufName() + ".weight.lora_";
            writer.add(stem + "a", dtype, pair.a());
            writer.add(stem + "b", dtype, pair.b().shape(), arena -> {
                Tensor b = folded(arena, pair, alpha);
                return permuted(architecture, site.projection()) ? HeadRows.interleave(arena, b, heads(heads, site).of(site.projection())) : b;
            });
        });
        writer.write(path);
    }

    private static Tensor folded(Arena arena, Pair pair, float alpha) {
        double ratio = pair.scale() * pair.rank() / (double) alpha;
        if (Math.abs(ratio - 1) < 1e-6) { // no more than the rounding of alpha
            return pair.b();
        }
        Tensor b = Tensor.allocate(arena, DType.F32, pair.b().shape());
        for (long i = 0; i < b.elements(); i++) {
            b.setFloat(i, (float) (pair.b().getFloat(i) * ratio));
        }
        return b;
    }

    private static boolean permuted(String architecture, Projection projection) {
        return architecture.equals("llama") && (projection == Projection.Q || projection == Projection.K);
    }

    private static Heads heads(Heads heads, Site site) {
        if (heads == null) {
            throw new IllegalArgumentException(site + ": an adapter of a llama's q or k needs the base's numbers of heads; HINT: give the base model");
        }
        return heads;
    }

    private static void want(Gguf gguf, String key, String value) {
        if (!gguf.string(key).equals(value)) {
            throw gguf.problem(key, "wanted '" + value + "', found '" + gguf.string(key) + "'");
        }
    }

    private static final class Reader {
        private final Gguf gguf;
        private final String architecture;
        private final Heads heads;
        private final double alpha;
        private final Map<Site, Tensor> a = new TreeMap<>();
        private final Map<Site, Tensor> b = new TreeMap<>();

        Reader(Gguf gguf, String architecture, Heads heads) {
            this.gguf = gguf;
            this.architecture = architecture;
            this.heads = heads;
            this.alpha = gguf.real("adapter.lora.alpha", 0);
            if (!Double.isFinite(alpha)) {
                throw gguf.problem("adapter.lora.alpha", "is " + alpha);
            }
        }

        LoraWeights weights() {
            gguf.weights().tensors().forEach(this::add);
            Map<Site, Pair> pairs = new TreeMap<>();
            a.forEach((site, one) -> pairs.put(site, pair(site, one, b.get(site))));
            if (pairs.isEmpty() || !a.keySet().containsAll(b.keySet())) {
                throw new FormatException(gguf.path(), "tensors", pairs.isEmpty() ? "there is no LoRA pair at all" : "a lora_b without its lora_a");
            }
            return new LoraWeights(pairs);
        }

        private void add(String name, Tensor tensor) {
            Matcher parts = NAME.matcher(name);
            var projection = parts.matches() ? Projection.byGgufName(parts.group(2)).orElse(null) : null;
            if (projection == null || tensor.rank() != 2) {
                throw problem(name, tensor + " is none of the LoRA matrices that are supported (blk.<l>.<projection>.weight.lora_a|b)");
            }
            var site = new Site(Integer.parseInt(parts.group(1)), projection);
            (parts.group(3).equals("a") ? a : b).put(site, floats(name, tensor));
        }

        private Tensor floats(String name, Tensor tensor) {
            float[] values;
            try {
                values = tensor.toFloats();
            } catch (IllegalArgumentException e) {
                throw new FormatException(gguf.path(), "tensor '" + name + "'", e.getMessage(), e);
            }
            for (int i = 0; i < values.length; i++) {
                if (!Float.isFinite(values[i])) {
                    throw problem(name, "value " + i + " is " + values[i]);
                }
            }
            return Tensor.ofFloats(values, tensor.shape());
        }

        private Pair pair(Site site, Tensor one, Tensor other) {
            if (other == null || one.dim(0) != other.dim(1)) {
                throw new FormatException(gguf.path(), site.toString(), "lora_a is " + one + ", lora_b is " + (other == null ? "missing" : other));
            }
            Tensor ordered = other;
            if (permuted(architecture, site.projection())) {
                int n = heads(heads, site).of(site.projection());
                if (other.dim(0) % (2L * n) != 0) {
                    throw new FormatException(gguf.path(), site.toString(), "lora_b is " + other + ", its rows are no whole number of " + n + " heads");
                }
                ordered = HeadRows.deinterleave(Arena.ofAuto(), other, n);
            }
            return new Pair(one, ordered, (float) (alpha == 0 ? 1 : alpha / one.dim(0)));
        }

        private FormatException problem(String name, String cause) {
            return new FormatException(gguf.path(), "tensor '" + name + "'", cause);
        }
    }
}
