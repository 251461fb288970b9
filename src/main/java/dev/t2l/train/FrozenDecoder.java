package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.model.Decoder;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.train.FrozenActivations.Room;
import java.lang.System.Logger;
import java.lang.foreign.Arena;
import java.util.Set;

/**
 * A base model in training: its own weights, of any type, never change; adapters learn through it. Either everything is f32, or, for models in
 * bf16, activations are bf16 ({@link dev.t2l.backend.Mixed}) and products those of {@link Backend#prefilling()}; the residual stream, its gradient,
 * the loss and all of the adapters stay f32.
 *
 * <p>Owns its activations, borrows the decoder. Not thread-safe.
 */
public final class FrozenDecoder implements AutoCloseable {
    private static final Logger LOG = System.getLogger("dev.t2l.train");

    private final Decoder decoder;
    private final Backend backend;
    private final DType kept;
    private FrozenActivations space;

    /**
     * @param kept the type of activations, which wait for the backward: F32, or, for half the memory and less time, BF16
     * @throws IllegalArgumentException if it is another
     */
    public FrozenDecoder(Decoder decoder, DType kept) {
        if (kept != DType.F32 && kept != DType.BF16) {
            throw new IllegalArgumentException("activations are kept in F32 or BF16, not in " + kept);
        }
        this.decoder = decoder;
        this.backend = kept == DType.BF16 ? decoder.backend().prefilling() : decoder.backend();
        this.kept = kept;
    }

    public Decoder decoder() {
        return decoder;
    }

    /**
     * What batches up to this size need beside weights and adapters: one allocation, made by the first {@link #step} or {@link #reserve}.
     *
     * @param rows        tokens of a batch
     * @param predicted   how many of them are predicted
     * @param adapters    how many act on a batch
     * @param projections where
     */
    public TensorTable plan(int rows, int predicted, int adapters, Set<Projection> projections) {
        return FrozenActivations.table(decoder.config(), decoder.weights(), new Room(rows, predicted, adapters, projections), kept);
    }

    /** Allocates for batches up to this size (see {@link #plan}); larger ones will make it grow. */
    public void reserve(int rows, int predicted, int adapters, Set<Projection> projections) {
        provide(new Room(rows, predicted, adapters, projections));
    }

    /**
     * Forward and backward: adds the loss's gradient to the adapters' gradients.
     *
     * @return the loss: cross-entropy of the predicted tokens with label smoothing, each with its weight
     * @throws IllegalArgumentException if a token is outside the vocabulary, or a sample's adapter is not there
     */
    public double step(TrainingBatch batch, SampleAdapters adapters, Regularisation regularisation) {
        FrozenPass pass = pass(batch, adapters, regularisation);
        pass.forward();
        Tensor losses = pass.loss(true);
        pass.backward();
        return sum(losses);
    }

    /**
     * Forward only, without noise: the loss as {@link #step} defines it.
     *
     * @param adapters null for the base model alone
     */
    public double loss(TrainingBatch batch, SampleAdapters adapters, float smoothing) {
        FrozenPass pass = pass(batch, adapters, Regularisation.smoothing(smoothing));
        pass.forward();
        return sum(pass.loss(false));
    }

    private FrozenPass pass(TrainingBatch batch, SampleAdapters adapters, Regularisation regularisation) {
        batch.requireFits(decoder.config().vocabulary());
        if (adapters != null && batch.adapters() > adapters.count()) {
            throw new IllegalArgumentException("a sample wants adapter " + (batch.adapters() - 1) + ", there are " + adapters.count());
        }
        provide(new Room(batch.rows(), batch.predicted(), adapters == null ? 0 : adapters.count(), adapters == null ? Set.of() : adapters.projections()));
        return new FrozenPass(backend, decoder.config(), decoder.weights(), space, batch, adapters, regularisation);
    }

    private void provide(Room wanted) {
        if (space != null && space.room().holds(wanted)) {
            return;
        }
        Room room = space == null ? wanted : space.room().with(wanted);
        close();
        space = new FrozenActivations(backend, decoder.config(), decoder.weights(), room, kept);
        LOG.log(Logger.Level.DEBUG, () -> "activations of training: " + room.rows() + " rows, " + room.predicted() + " of them predicted, "
                + plan(room.rows(), room.predicted(), room.adapters(), room.projections()).bytes() / (1 << 20) + " MiB");
    }

    private double sum(Tensor losses) {
        double sum = 0;
        try (Arena arena = Arena.ofConfined()) {
            for (float loss : backend.host(arena, losses).toFloats()) {
                sum += loss;
            }
        }
        return sum;
    }

    /** Frees the activations; harmless when called twice. */
    @Override
    public void close() {
        if (space != null) {
            space.close();
            space = null;
        }
    }
}
