package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Gradients;
import dev.t2l.ops.AdamW;
import dev.t2l.ops.SumSquares;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * AdamW (Loshchilov and Hutter 2019) with the gradients' global norm clipped before, as PyTorch's {@code clip_grad_norm_} and
 * {@code AdamW} do it. Its state is the moments in {@link Parameters} and the number of steps.
 */
public final class Optimiser implements AutoCloseable {
    /** As {@code clip_grad_norm_} has it. */
    private static final double NORM_EPSILON = 1e-6;

    private final Parameters parameters;
    private final Settings settings;
    private final List<Tensor> gradients;
    private final Memory memory;
    private final Tensor squares;
    private long steps;

    /**
     * @param weightDecay on every parameter
     * @param clip        largest global norm of the gradients; infinite for none
     */
    public record Settings(double beta1, double beta2, double eps, double weightDecay, double clip) {
        public Settings {
            if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1 && eps > 0 && weightDecay >= 0 && clip > 0)) {
                throw new IllegalArgumentException("an optimiser needs betas in [0, 1), eps and clip above 0, weight decay of at least 0; got beta1 "
                        + beta1 + ", beta2 " + beta2 + ", eps " + eps + ", weight decay " + weightDecay + ", clip " + clip);
            }
        }

        /** PyTorch's betas and eps: 0.9, 0.999, 1e-8. */
        public static Settings of(double weightDecay, double clip) {
            return new Settings(0.9, 0.999, 1e-8, weightDecay, clip);
        }
    }

    public Optimiser(Parameters parameters, Settings settings) {
        this.parameters = parameters;
        this.settings = settings;
        this.gradients = List.copyOf(parameters.gradients().tensors().values());
        this.memory = parameters.backend().allocate(DType.F32.bytes(gradients.size()));
        this.squares = Tensor.of(DType.F32, memory.segment(), gradients.size());
    }

    /** Number of steps taken; the next one's corrections of the moments depend on it. */
    public long steps() {
        return steps;
    }

    /** Goes on after so many steps, with the moments as they are in the parameters. */
    public void resume(long steps) {
        this.steps = steps;
    }

    /**
     * One step, after which the gradients are zero.
     *
     * @param rate learning rate
     * @return the gradients' global norm before clipping: the square root of the tensors' sums of squares, added in double in the order of names
     * @throws TrainingException if the norm is no finite number; nothing is changed then
     */
    public double step(double rate) {
        double norm = norm();
        double scale = Math.min(1, settings.clip() / (norm + NORM_EPSILON));
        var step = new Gradients.AdamW((float) rate, (float) settings.beta1(), (float) settings.beta2(), (float) settings.eps(),
                (float) settings.weightDecay(), steps + 1, (float) scale);
        List<Tensor> flat = parameters.flat();
        AdamW.step(parameters.backend(), flat.get(0), flat.get(1), flat.get(2), flat.get(3), step);
        parameters.zeroGradients();
        steps++;
        return norm;
    }

    private double norm() {
        Backend backend = parameters.backend();
        for (int i = 0; i < gradients.size(); i++) {
            SumSquares.forward(backend, squares, i, gradients.get(i));
        }
        float[] sums;
        try (Arena arena = Arena.ofConfined()) {
            sums = backend.host(arena, squares).toFloats();
        }
        double sum = 0;
        for (int i = 0; i < sums.length; i++) {
            if (!Float.isFinite(sums[i])) {
                throw new TrainingException("step " + (steps + 1) + ": the gradient of " + parameters.names().get(i) + " is not finite (sum of squares "
                        + sums[i] + "); HINT: a lower learning rate, a longer warm-up, or a bad sample");
            }
            sum += sums[i];
        }
        return Math.sqrt(sum);
    }

    /** Frees its scratch; the parameters stay. */
    @Override
    public void close() {
        memory.close();
    }
}
