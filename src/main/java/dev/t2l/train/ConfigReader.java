package dev.t2l.train;

import dev.t2l.data.Section;
import dev.t2l.data.YamlDocument;
import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.io.FormatException;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Projection;
import dev.t2l.train.TrainingConfig.Adapter;
import dev.t2l.train.TrainingConfig.Batch;
import dev.t2l.train.TrainingConfig.Budget;
import dev.t2l.train.TrainingConfig.Data;
import dev.t2l.train.TrainingConfig.Kind;
import dev.t2l.train.TrainingConfig.Models;
import dev.t2l.train.TrainingConfig.Network;
import dev.t2l.train.TrainingConfig.Optimisation;
import dev.t2l.train.TrainingConfig.Reconstructing;
import dev.t2l.train.TrainingConfig.Regularising;
import dev.t2l.train.TrainingConfig.Run;
import dev.t2l.train.TrainingConfig.Sampling;
import dev.t2l.train.TrainingConfig.Share;
import dev.t2l.train.TrainingConfig.Shortening;
import dev.t2l.train.TrainingConfig.Text;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Reads a {@link TrainingConfig}: the one place that knows keys and defaults. */
final class ConfigReader {
    private static final double UNBOUNDED = Double.MAX_VALUE;

    private final Section root;
    private final Kind kind;
    private final String name;

    private ConfigReader(Section root, String name) {
        this.root = root;
        this.kind = root.choice("kind", Kind.SFT);
        this.name = name;
    }

    static TrainingConfig read(YamlDocument document, List<String> changes) {
        Map<String, Object> values = new LinkedHashMap<>();
        document.section(); // a map
        ((Map<?, ?>) document.root()).forEach((key, value) -> values.put(String.valueOf(key), value));
        for (String change : changes) {
            int equals = change.indexOf('=');
            if (equals < 1) {
                throw new IllegalArgumentException("wanted key=value, got '" + change + "'");
            }
            put(values, change.substring(0, equals).strip(), YamlDocument.parse(Path.of("--set " + change), change.substring(equals + 1)).root());
        }
        String file = String.valueOf(document.file().getFileName());
        return new ConfigReader(new Section(document.file(), "", values, document.lines()), file.replaceFirst("\\.ya?ml$", "")).config();
    }

    static TrainingConfig read(Map<String, Object> values) {
        Map<String, Object> nested = new LinkedHashMap<>();
        values.forEach((key, value) -> put(nested, key, value));
        return new ConfigReader(new Section(Path.of("configuration"), "", nested, Map.of()), "run").config();
    }

    /** Sets a key with dots; null takes it away, so that the default holds. */
    private static void put(Map<String, Object> values, String key, Object value) {
        int dot = key.indexOf('.');
        if (dot < 0) {
            if (value == null) {
                values.remove(key);
            } else {
                values.put(key, value instanceof Path path ? path.toString() : value);
            }
            return;
        }
        Map<String, Object> inner = new LinkedHashMap<>();
        if (values.get(key.substring(0, dot)) instanceof Map<?, ?> there) {
            there.forEach((k, v) -> inner.put(String.valueOf(k), v));
        }
        put(inner, key.substring(dot + 1), value);
        values.put(key.substring(0, dot), inner);
    }

    private TrainingConfig config() {
        long seed = root.seed("seed", 42);
        Models models = models();
        Data data = data();
        Text text = text(root.section("text"));
        Adapter adapter = adapter(root.section("adapter"));
        Network network = network(root.section("network"));
        Batch batch = batch(root.section("batch"));
        DType precision = DType.valueOf(root.choice("precision", Kept.F32).name());
        Budget budget = budget();
        Optimisation optimiser = optimiser(root.section("optimiser"));
        Regularising regularisation = regularisation(root.section("regularisation"));
        Reconstructing reconstruction = reconstruction(root.section("reconstruction"));
        Run run = run(root.section("validation"), root.section("checkpoint"));
        root.done();
        return new TrainingConfig(kind, seed, models, data, text, adapter, network, batch, precision, budget, optimiser, regularisation, reconstruction, run, root.resolved());
    }

    /** Values of {@code base_dtype}. */
    private enum BaseType { FILE, BF16 }

    private Models models() {
        String base = required("base", "the frozen language model: a folder, a GGUF file or a hub id");
        Optional<DType> type = root.choice("base_dtype", BaseType.FILE) == BaseType.BF16 ? Optional.of(DType.BF16) : Optional.empty();
        var models = new Models(base, type, root.text("encoder"), root.choice("condition", Condition.DESCRIPTION));
        if (kind == Kind.RECON && models.condition() == Condition.INPUT) {
            throw root.problem("condition", "is input; reconstruction reads descriptions, or numbers of tasks");
        }
        return models;
    }

    private String required(String key, String what) {
        return root.text(key).orElseThrow(() -> root.problem(key, "is missing; wanted " + what));
    }

    private Data data() {
        Object source = root.any("data");
        if (source == null) {
            throw root.problem("data", "is missing; wanted a folder with tasks.json, a file with a list of tasks, or such a list");
        }
        TaskSource tasks = source instanceof List<?> ? new TaskSource.Inline(root.sections("data")) : new TaskSource.Stored(Path.of(required("data", "a path or a list")));
        Optional<Path> variants = root.text("variants").map(Path::of);
        if (kind == Kind.RECON && variants.isPresent()) {
            throw root.problem("variants", "are trained on examples, which reconstruction has none of");
        }
        return new Data(tasks, root.text("suite"), TaskChoice.read(root, "tasks"), root.text("more_descriptions").map(Path::of), variants,
                root.integer("descriptions", 128, 1), root.text("template"));
    }

    private static Text text(Section at) {
        Optional<Boolean> chat = at.has("chat") ? Optional.of(at.flag("chat", true)) : Optional.empty();
        at.any("chat");
        var text = new Text(chat, at.choice("truncation", Shortening.TOGETHER), at.integer("max_tokens", 512, 2), at.integer("max_prompt", 384, 1),
                at.integer("max_response", 128, 1));
        at.done();
        return text;
    }

    private static Adapter adapter(Section at) {
        List<String> names = at.texts("targets", List.of("q_proj", "v_proj"));
        List<Projection> targets = names.stream().map(target -> Projection.byPeftName(target).orElseThrow(() -> at.problem("targets", "wanted some of "
                + Arrays.stream(Projection.values()).map(Projection::peftName).toList() + ", found '" + target + "'"))).toList();
        if (targets.isEmpty() || targets.stream().distinct().count() != targets.size()) {
            throw at.problem("targets", "wanted at least one projection, each once, found " + names);
        }
        var adapter = new Adapter(at.integer("rank", 8, 1), at.number("alpha", 16, 0, UNBOUNDED), at.flag("rslora", true), targets,
                (float) probability(at, "dropout", 0.05), at.choice("of", Share.ALL));
        at.done();
        return adapter;
    }

    private Network network(Section at) {
        var network = new Network(at.choice("variant", Variant.L), at.integer("latent", 128, 4), at.integer("head_in", 512, 1),
                (float) probability(at, "dropout", 0.05), at.flag("learned_positions", false), at.text("offsets"));
        if (network.latent() % 4 != 0) {
            throw at.problem("latent", "wanted a multiple of 4, found " + network.latent());
        }
        if (kind != Kind.SFT && network.offsets().isPresent()) {
            throw at.problem("offsets", "are of fine-tuning a hypernetwork alone");
        }
        at.done();
        return network;
    }

    private static Batch batch(Section at) {
        var batch = new Batch(at.integer("tasks", 8, 1), at.integer("points", 1, 1), at.integer("descriptions", 1, 1), at.choice("sampling", Sampling.EPOCHS),
                at.integer("tokens", 0, 0));
        at.done();
        return batch;
    }

    /** Values of {@code precision}. */
    private enum Kept { F32, BF16 }

    private Budget budget() {
        var budget = new Budget(root.integer("steps", 1), root.integer("epochs", 1), root.integer("steps_per_task", 1));
        long given = List.of(budget.steps(), budget.epochs(), budget.stepsPerTask()).stream().filter(n -> n.isPresent()).count();
        if (given != 1) {
            throw root.problem("steps", "wanted one of steps, epochs and steps_per_task, found " + (given == 0 ? "none" : given + " of them; HINT: --set KEY=null takes one away"));
        }
        return budget;
    }

    private Optimisation optimiser(Section at) {
        boolean recon = kind == Kind.RECON;
        var optimiser = new Optimisation(at.number("rate", recon ? 1e-3 : 2.5e-5, 0, UNBOUNDED), at.number("weight_decay", recon ? 1e-3 : 1e-2, 0, UNBOUNDED),
                at.number("clip", 1, 0, UNBOUNDED), at.number("warmup", recon ? 0.1 : 0.2, 0, 1), probability(at, "beta1", 0.9), probability(at, "beta2", 0.999),
                at.number("eps", 1e-8, Double.MIN_NORMAL, 1));
        at.done();
        return optimiser;
    }

    private static Regularising regularisation(Section at) {
        var regularisation = new Regularising(probability(at, "smoothing", 0.1), at.number("neftune", 5, 0, UNBOUNDED), at.number("l2", 1e-3, 0, UNBOUNDED));
        at.done();
        return regularisation;
    }

    /** The distances that reconstruction minimises; written as in papers. */
    private enum Distance { L1, MSE }

    private Reconstructing reconstruction(Section at) {
        Distance distance = root.choice("loss", Distance.L1);
        var reconstruction = new Reconstructing(at.text("oracles"), distance == Distance.MSE, at.flag("factorized", true), at.flag("z_score", true),
                at.number("delta_w_scaling", 10_000, Double.MIN_NORMAL, UNBOUNDED));
        if (kind == Kind.RECON && reconstruction.oracles().isEmpty()) {
            throw at.problem("oracles", "is missing; wanted a folder with one PEFT folder a task");
        }
        at.done();
        return reconstruction;
    }

    private Run run(Section validation, Section checkpoint) {
        var run = new Run(Path.of(root.text("out", "runs/" + name)), validation.integer("every", 500, 0), validation.integer("examples", 4, 1),
                checkpoint.integer("every", 500, 1), checkpoint.integer("keep", 2, 1));
        validation.done();
        checkpoint.done();
        return run;
    }

    private static double probability(Section at, String key, double missing) {
        double p = at.number(key, missing, 0, 1);
        if (p == 1) {
            throw at.problem(key, "wanted a number below 1, found 1");
        }
        return p;
    }
}
