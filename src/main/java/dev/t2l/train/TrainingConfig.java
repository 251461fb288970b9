package dev.t2l.train;

import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.io.FormatException;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Projection;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * All that describes a training run: one YAML file, a recipe with changes, or what a builder was told. Keys are those of the records
 * below, in snake case, under the record's name; those of this record stand at the top. Every key but {@code base} and {@code data} (for
 * reconstruction {@code reconstruction.oracles}) has a default.
 *
 * @param kind     what is trained
 * @param seed     everything random in step t is a function of it, of t, and of what it is for
 * @param models   {@code base}, {@code base_dtype}, {@code encoder}, {@code condition}
 * @param precision {@code f32}, the default; or {@code bf16}, for models in bf16: the base's activations wait for the backward pass in bf16, and its
 *                 products and attention may round to it, as under autocast; all that is trained stays f32
 * @param resolved every key with its value, defaults included: what a run's folder keeps as config.yaml
 */
public record TrainingConfig(Kind kind, long seed, Models models, Data data, Text text, Adapter adapter, Network network, Batch batch, DType precision, Budget budget,
        Optimisation optimiser, Regularising regularisation, Reconstructing reconstruction, Run run, Map<String, Object> resolved) {

    /** What is trained. */
    public enum Kind {
        /** A hypernetwork, through the frozen base: supervised fine-tuning. */
        SFT,
        /** A hypernetwork, towards adapters that are there. */
        RECON,
        /** Adapters themselves: one for all tasks, or one a task. */
        LORA
    }

    /** What shares an adapter ({@code adapter.of}), when adapters themselves are trained. */
    public enum Share {
        /** All tasks: the multi-task LoRA. */
        ALL,
        /** Nobody: one for each task, the oracles. */
        TASK
    }

    /** How a pair of prompt and response is shortened ({@code text.truncation}). */
    public enum Shortening {
        /** Both together to {@code max_tokens}, the longer one first, on the left, as the published code does. */
        TOGETHER,
        /** The prompt on the left to {@code max_prompt}, the response on the right to {@code max_response}. */
        APART
    }

    /** How a step's tasks are chosen ({@code batch.sampling}). */
    public enum Sampling {
        /** An epoch is a permutation of the tasks, cut into batches; what is left over is dropped. */
        EPOCHS,
        /** Each sample's task is drawn from all. */
        UNIFORM
    }

    /**
     * @param base      folder, GGUF file or hub id of the frozen language model
     * @param baseDtype {@code base_dtype}: its matrices are converted to this type when they are loaded: {@code bf16}; default {@code file}: they stay in
     *                  their file's, which is empty here
     * @param encoder   the same as {@code base} of the text encoder; empty: the base reads the texts
     * @param condition what the hypernetwork reads of a sample: a {@code description} of its task, the default; the sample's own prompt, {@code input},
     *                  for an adapter to each input; or {@code one_hot}, its task's number
     */
    public record Models(String base, Optional<DType> baseDtype, Optional<String> encoder, Condition condition) {
    }

    /**
     * @param source       {@code data}: a path, or a list of tasks; see {@link TrainingData}
     * @param suite        only tasks of this one, where tasks.json has suites
     * @param tasks        which of them
     * @param described    {@code more_descriptions}: a file of further descriptions, which come behind a task's own: JSON lines, perhaps gzipped, with {@code task}
     *                     and {@code descriptions}; lines of tasks that are not in the data are passed over
     * @param variants     a file of tasks made of the chosen ones by other names for their answers; see {@link TaskVariant}
     * @param descriptions of each task the first so many are used; default 128
     * @param template     prompt out of a line's fields, such as {@code "{question}\n{choices}"}; default: its {@code input}
     */
    public record Data(TaskSource source, Optional<String> suite, TaskChoice tasks, Optional<Path> described, Optional<Path> variants,
            int descriptions, Optional<String> template) {
    }

    /**
     * @param chat        prompts are written by the base's chat template; default: if it has one
     * @param truncation  default together
     * @param maxTokens   of prompt and response together; default 512
     * @param maxPrompt   of a prompt shortened apart; default 384
     * @param maxResponse of a response shortened apart, its end of turn not counted; default 128
     */
    public record Text(Optional<Boolean> chat, Shortening truncation, int maxTokens, int maxPrompt, int maxResponse) {
    }

    /**
     * @param rank    default 8
     * @param alpha   default 16
     * @param rslora  scale alpha / sqrt(rank), not alpha / rank; default true
     * @param targets default q_proj and v_proj
     * @param dropout on its input in training; default 0.05
     * @param of      who shares one; default all
     */
    public record Adapter(int rank, double alpha, boolean rslora, List<Projection> targets, float dropout, Share of) {
    }

    /**
     * @param variant          L, M, S or L_by_rank; default L
     * @param latent           default 128
     * @param headIn           default 512
     * @param dropout          in the network; default 0.05
     * @param learnedPositions of S and L_by_rank, instead of rotary ones; default false
     * @param offsets          PEFT folder of a trained multi-task LoRA that the network's output is added to
     */
    public record Network(Variant variant, int latent, int headIn, float dropout, boolean learnedPositions, Optional<String> offsets) {
    }

    /**
     * @param tasks        in a step; default 8. With uniform sampling: samples
     * @param points       examples of each; default 1
     * @param descriptions of each in reconstruction; default 1
     * @param sampling     default epochs
     * @param tokens       a step is cut into passes of at most so many tokens, whose gradients add up; default 0: one pass
     */
    public record Batch(int tasks, int points, int descriptions, Sampling sampling, int tokens) {
    }

    /** How long, by one of the three; {@code epochs} counts permutations of the tasks, {@code steps_per_task} is multiplied by their number. */
    public record Budget(OptionalInt steps, OptionalInt epochs, OptionalInt stepsPerTask) {
        /** @param perEpoch steps of an epoch */
        long steps(int tasks, long perEpoch) {
            if (steps.isPresent()) {
                return steps.getAsInt();
            }
            return epochs.isPresent() ? Math.multiplyExact(perEpoch, epochs.getAsInt()) : Math.multiplyExact((long) tasks, stepsPerTask.orElseThrow());
        }
    }

    /**
     * AdamW with linear warm-up and decay.
     *
     * @param rate        {@code rate}: its peak; default 2.5e-5 (reconstruction 1e-3)
     * @param weightDecay default 0.01 (reconstruction 0.001)
     * @param clip        of the gradient's norm; default 1; 0 for none
     * @param warmup      share of the steps; default 0.2 (reconstruction 0.1)
     */
    public record Optimisation(double rate, double weightDecay, double clip, double warmup, double beta1, double beta2, double eps) {
    }

    /**
     * @param smoothing of labels; default 0.1
     * @param neftune   alpha of the noise on embeddings; default 5
     * @param l2        factor on the sum over modules of mean(A^2) + mean(B^2) of generated adapters; default 1e-3
     */
    public record Regularising(double smoothing, double neftune, double l2) {
    }

    /**
     * @param oracles       folder with one PEFT folder a task
     * @param squared       {@code loss: mse} instead of {@code l1}
     * @param factorized    A and B themselves are the targets, not B A; default true
     * @param zScore        of them, element by element; default true
     * @param deltaWScaling factor on B A; default 10000
     */
    public record Reconstructing(Optional<String> oracles, boolean squared, boolean factorized, boolean zScore, double deltaWScaling) {
    }

    /**
     * @param out             folder of the run; default runs/ and the configuration's name
     * @param validationEvery steps between validations; 0 for none; default 500
     * @param validationSize  examples of each task that are validated on; default 4
     * @param checkpointEvery steps between checkpoints; default 500
     * @param keep            so many checkpoints stay; default 2
     */
    public record Run(Path out, int validationEvery, int validationSize, int checkpointEvery, int keep) {
    }

    /**
     * Reads a file, or a recipe by its name, and changes keys.
     *
     * @param fileOrRecipe a YAML file; else a name of {@link Recipes#names}
     * @param changes      {@code key=value}, keys with dots, values in YAML
     * @throws FormatException naming file, line and key of what is wrong
     */
    public static TrainingConfig load(String fileOrRecipe, List<String> changes) {
        return ConfigReader.read(Recipes.open(fileOrRecipe), changes);
    }

    /** The same of keys that are there already; keys with dots or inner maps. */
    public static TrainingConfig of(Map<String, Object> values) {
        return ConfigReader.read(values);
    }
}
