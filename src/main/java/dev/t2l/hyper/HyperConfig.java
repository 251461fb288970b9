package dev.t2l.hyper;

import dev.t2l.tensor.Projection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;

/**
 * What a hypernetwork is: its widths and variant, the adapters it emits, what its output means, and where it comes from.
 *
 * <p>Source: the Text-to-LoRA paper (arXiv 2506.06105, section 3.3 and appendix), and the keys of the published
 * {@code args.yaml} and {@code adapter_config.json}.
 *
 * @param targets the adapted modules; a module's place in the list is its row of the type embedding
 */
public record HyperConfig(Architecture architecture, LoraShape lora, List<Target> targets, Training training, Origin origin) {

    /** The published sizes, and the fourth combination of their two flags. */
    public enum Variant {
        /** One head output holds A and B whole. */
        L,
        /** One head per module serves A and B in turn. */
        M,
        /** As M, one rank at a time. */
        S,
        /** As L, one rank at a time. */
        L_BY_RANK
    }

    /** What the network was trained for. */
    public enum TrainingTask { SFT, RECON }

    /** How generated values become LoRA weights. */
    public enum Output {
        /** Plus {@code AB_offset}. */
        OFFSET,
        /** Times {@code std_recon_target + 1e-10}, plus {@code mean_recon_target}. */
        Z_SCORE,
        /** Divided by {@code sqrt(delta_w_scaling)}. */
        DELTA_W,
        /** As they are. */
        RAW
    }

    /**
     * Flags and widths of the network.
     *
     * @param latent    width of the body (hypernet_latent_size), a multiple of 4
     * @param headIn    width that enters the heads (head_in_size)
     * @param embedding width of a task embedding
     */
    public record Architecture(boolean sharedAbHead, boolean autoregGen, boolean learnablePosEmb, int latent, int headIn, int embedding) {
        public Architecture {
            positive("hypernet_latent_size", latent);
            positive("head_in_size", headIn);
            positive("embedding width", embedding);
            if (latent % 4 != 0) {
                throw new IllegalArgumentException("hypernet_latent_size must be a multiple of 4 (task half, depth and type a quarter each), is " + latent);
            }
        }
    }

    /** The adapters: {@code layers} pairs a module, of rank {@code rank}. */
    public record LoraShape(int rank, double alpha, boolean useRslora, int layers) {
        public LoraShape {
            positive("rank", rank);
            positive("number of layers", layers);
            if (!Double.isFinite(alpha)) {
                throw new IllegalArgumentException("lora_alpha must be finite, is " + alpha);
            }
        }

        /** Scale of B A: alpha/r, or alpha/sqrt(r) for rsLoRA. */
        public float scale() {
            return (float) (alpha / (useRslora ? Math.sqrt(rank) : rank));
        }
    }

    /** An adapted module, its features, and whether its head has a bias. */
    public record Target(Projection projection, int in, int out, boolean headBias) {
        public Target {
            positive("in features", in);
            positive("out features", out);
        }
    }

    /** How the network was trained, as far as its output depends on it. */
    public record Training(TrainingTask task, boolean zScore, boolean factorized, double deltaWScaling) {
        public Training {
            if (!(deltaWScaling > 0) || Double.isInfinite(deltaWScaling)) {
                throw new IllegalArgumentException("delta_w_scaling must be positive and finite, is " + deltaWScaling);
            }
        }

        /** Supervised fine-tuning. */
        public static Training sft() {
            return new Training(TrainingTask.SFT, false, false, 10_000);
        }

        /** Z-scores count only where A and B themselves were the targets (factorized). */
        public Output output() {
            if (task == TrainingTask.SFT) {
                return Output.OFFSET;
            }
            return !factorized ? Output.DELTA_W : zScore ? Output.Z_SCORE : Output.RAW;
        }
    }

    /** What the embeddings are of that the network reads. */
    public enum Condition {
        /** A sentence that describes a task. */
        DESCRIPTION,
        /** The text itself that the adapted model is to answer: an adapter for each input (Hyperdecoders, arXiv 2203.08304). */
        INPUT,
        /** No text: the number of a training task, one-hot. */
        ONE_HOT
    }

    /**
     * Models and data.
     *
     * @param embModel   the text encoder; empty if the base model itself embeds the descriptions
     * @param baseModel  the model that the adapters fit
     * @param trainTasks names of the training tasks, in order
     * @param condition  what it reads
     */
    public record Origin(Optional<String> embModel, String baseModel, List<String> trainTasks, Condition condition) {
        public Origin {
            trainTasks = List.copyOf(trainTasks);
        }
    }

    public HyperConfig {
        targets = List.copyOf(targets);
        if (targets.isEmpty()) {
            throw new IllegalArgumentException("a hypernetwork without a target module");
        }
        if (new HashSet<>(targets.stream().map(Target::projection).toList()).size() != targets.size()) {
            throw new IllegalArgumentException("a module is targeted twice: " + targets);
        }
    }

    public Variant variant() {
        if (architecture.sharedAbHead()) {
            return architecture.autoregGen() ? Variant.S : Variant.M;
        }
        return architecture.autoregGen() ? Variant.L_BY_RANK : Variant.L;
    }

    /** Body rows a module, description and layer take for A and B: 2 where they share a head, else 1. */
    int factorRows() {
        return architecture.sharedAbHead() ? 2 : 1;
    }

    /** Head rows a body row becomes: the rank where ranks are generated one at a time, else 1. */
    int rankRows() {
        return architecture.autoregGen() ? lora.rank() : 1;
    }

    /** Features of one rank in a head row: {@code in + out}, or the larger where A and B share the head. */
    int rankWidth(Target t) {
        return architecture.sharedAbHead() ? Math.max(t.in(), t.out()) : Math.addExact(t.in(), t.out());
    }

    /** Output width of a module's head. */
    long headOut(Target t) {
        return (long) rankWidth(t) * (architecture.autoregGen() ? 1 : lora.rank());
    }

    /** Output width of the widest head. */
    long widestHead() {
        return targets.stream().mapToLong(this::headOut).max().orElseThrow();
    }

    private static void positive(String what, int value) {
        if (value < 1) {
            throw new IllegalArgumentException(what + " must be positive, is " + value);
        }
    }
}
