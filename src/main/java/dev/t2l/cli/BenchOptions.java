package dev.t2l.cli;

import dev.t2l.bench.AdaptCase;
import dev.t2l.bench.Case;
import dev.t2l.bench.DecodeCase;
import dev.t2l.bench.DecoderShapes;
import dev.t2l.bench.EncodeCase;
import dev.t2l.bench.FirstTokenCase;
import dev.t2l.bench.HypernetworkCase;
import dev.t2l.bench.Numbers;
import dev.t2l.bench.PrefillCase;
import dev.t2l.bench.Recipe;
import dev.t2l.bench.SftCase;
import dev.t2l.bench.WeightFormat;
import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Projection;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/** What {@code t2l bench} measures; options with several values give a case for each. */
final class BenchOptions {
    /** What there is. */
    enum Kind {
        DECODE, PREFILL, FIRST_TOKEN, SFT, ENCODE, HYPERNETWORK, ADAPT, ALL;

        static final List<Kind> WITH_LANGUAGE_MODEL = List.of(DECODE, PREFILL, FIRST_TOKEN, SFT);

        String label() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    /** @param left what is left out, and why */
    record Plan(List<Case> cases, List<String> left) {
    }

    @Parameters(paramLabel = "BENCH", arity = "1..*", description = {"decode: one token after the other", "prefill: a prompt up to its first token",
        "encode: descriptions to task embeddings", "hypernetwork: task embeddings to adapters", "adapt: text to adapters",
        "first-token: a description to the first token with its adapter",
        "sft: a step of training a hypernetwork through the language model", "all: the cases that tell most"})
    private List<String> benches;

    @Option(names = "--dtype", split = ",", paramLabel = "TYPE", description = "Weights of the language model: f32, f16, bf16 (default), q8_0, q4_0, q4_1, q4_k, q6_k, "
        + "or q4_k_m, llama.cpp's mix.")
    private List<String> dtypes = List.of("bf16");

    @Option(names = "--t2l-dtype", defaultValue = "bf16", paramLabel = "TYPE", description = "Weights of encoder and hypernetwork: f32, f16, bf16. Default: ${DEFAULT-VALUE}.")
    private String t2lType;

    @Option(names = "--batch", split = ",", paramLabel = "N", description = "decode, prefill, sft: sequences side by side. Default: 1.")
    private List<Integer> batches = List.of(1);

    @Option(names = "--adapters", split = ",", paramLabel = "N", description = "decode: distinct adapters, dealt to the sequences in turn. Default: 0.")
    private List<Integer> adapters = List.of(0);

    @Option(names = "--rank", defaultValue = "8", paramLabel = "R", description = "decode: their rank. Default: ${DEFAULT-VALUE}.")
    private int rank;

    @Option(names = "--targets", split = ",", paramLabel = "NAME", description = "decode: what they adapt, of q, k, v, o, gate, up, down. Default: q,v.")
    private List<String> targets = List.of("q", "v");

    @Option(names = "--tokens", split = ",", paramLabel = "N", description = "decode: tokens of a sequence (default 128); prefill: of the prompt (512); "
        + "sft: of a sample (512); encode, adapt, first-token: of a description (48).")
    private List<Integer> tokens = List.of();

    @Option(names = "--prompt", split = ",", paramLabel = "N", description = "Tokens of the prompt before decode (default 1) or in first-token (128).")
    private List<Integer> prompts = List.of();

    @Option(names = "--descriptions", split = ",", paramLabel = "N", description = "encode, hypernetwork, adapt: descriptions in one call. Default: 1.")
    private List<Integer> descriptions = List.of(1);

    @Option(names = "--callers", split = ",", paramLabel = "N", description = "first-token: threads that ask at the same time. Default: 1.")
    private List<Integer> callers = List.of(1);

    /** @throws ParameterException if an option makes no sense, alone or for this shape */
    Plan plan(CommandLine command, String shape) {
        try {
            return plan(DecoderShapes.of(shape));
        } catch (IllegalArgumentException e) {
            throw new ParameterException(command, e.getMessage(), e);
        }
    }

    DType t2lType(CommandLine command) {
        List<String> plain = List.of("f32", "f16", "bf16");
        if (!plain.contains(t2lType.toLowerCase(Locale.ROOT))) {
            throw new ParameterException(command, "--t2l-dtype: wanted one of " + String.join(", ", plain) + ", got '" + t2lType + "'");
        }
        return DType.valueOf(t2lType.toUpperCase(Locale.ROOT));
    }

    private Plan plan(DecoderConfig config) {
        List<Kind> kinds = benches.stream().map(BenchOptions::kind).distinct().toList();
        List<WeightFormat> formats = dtypes.stream().map(WeightFormat::of).toList();
        List<Case> cases = new ArrayList<>();
        List<String> left = new ArrayList<>();
        if (kinds.contains(Kind.ALL)) {
            Recipe.Cases all = Recipe.all(config);
            cases.addAll(all.cases());
            left.addAll(all.left());
        }
        if (kinds.stream().anyMatch(Kind.WITH_LANGUAGE_MODEL::contains)) {
            formats.stream().map(f -> f.obstacle(config)).filter(o -> !o.isEmpty()).findFirst().ifPresent(obstacle -> {
                throw new IllegalArgumentException(obstacle);
            });
        }
        for (WeightFormat format : formats) {
            kinds.stream().filter(Kind.WITH_LANGUAGE_MODEL::contains).forEach(kind -> cases.addAll(withLanguageModel(kind, format)));
        }
        kinds.stream().filter(kind -> !Kind.WITH_LANGUAGE_MODEL.contains(kind)).forEach(kind -> cases.addAll(withoutLanguageModel(kind)));
        return new Plan(cases, left);
    }

    private static Kind kind(String name) {
        return Arrays.stream(Kind.values()).filter(k -> k.label().equals(name)).findFirst().orElseThrow(() -> new IllegalArgumentException("no benchmark is called '" + name
                + "'; there are " + Arrays.stream(Kind.values()).map(Kind::label).collect(Collectors.joining(", "))));
    }

    private List<Case> withLanguageModel(Kind kind, WeightFormat format) {
        List<Projection> adapted = targets.stream().map(Numbers::projection).toList();
        return switch (kind) {
            case DECODE -> each(batches, batch -> each(adapters, many -> each(or(prompts, 1), prompt -> each(or(tokens, 128), n ->
                    List.of(new DecodeCase(format, batch, new DecodeCase.Lora(many, rank, adapted), prompt, n))))));
            case SFT -> each(batches, batch -> each(or(tokens, 512), n -> List.of(new SftCase(format, batch, n))));
            case PREFILL -> each(batches, batch -> each(or(tokens, 512), n -> List.of(new PrefillCase(format, batch, n))));
            default -> each(callers, many -> each(or(tokens, 48), n -> each(or(prompts, 128), prompt -> List.of(new FirstTokenCase(format, many, n, prompt)))));
        };
    }

    private List<Case> withoutLanguageModel(Kind kind) {
        return switch (kind) {
            case ENCODE -> each(descriptions, texts -> each(or(tokens, 48), n -> List.of(new EncodeCase(texts, n))));
            case HYPERNETWORK -> each(descriptions, texts -> List.of(new HypernetworkCase(texts)));
            case ADAPT -> each(descriptions, texts -> each(or(tokens, 48), n -> List.of(new AdaptCase(texts, n))));
            default -> List.of();
        };
    }

    private static List<Integer> or(List<Integer> given, int missing) {
        return given.isEmpty() ? List.of(missing) : given;
    }

    private static List<Case> each(List<Integer> values, Function<Integer, List<Case>> cases) {
        return values.stream().flatMap(v -> cases.apply(v).stream()).toList();
    }
}
