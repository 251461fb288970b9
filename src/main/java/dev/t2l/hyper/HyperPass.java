package dev.t2l.hyper;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Recording;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/** A hypernetwork's pass over so many task embeddings at a time, on memory of its own. Not thread-safe. */
public final class HyperPass implements AutoCloseable {
    private final HyperForward forward;
    private final Backend backend;
    private final HyperRows rows;
    private final HyperActivations acts;
    private final TensorTable layout; // of an adapter
    private Recording recording; // or null
    private Tensor given; // what the last run read
    private Recording repeated; // of these; or null

    HyperPass(HyperForward forward, int descriptions) {
        this.forward = forward;
        this.backend = forward.backend();
        this.rows = HyperRows.of(forward.config(), descriptions);
        this.layout = GeneratedLora.table(forward.config());
        this.acts = HyperActivations.allocate(backend, forward.config(), rows, false);
        try {
            forward.learned(acts, HyperDropout.NONE);
        } catch (RuntimeException | Error e) {
            acts.close();
            throw e;
        }
    }

    int descriptions() {
        return rows.descriptions();
    }

    long bytes() {
        return acts.bytes();
    }

    /** What {@link #run} reads: f32 [n, E], on the backend. */
    public Tensor embeddings() {
        return acts.get("embeddings");
    }

    /** Everything up to the heads, of {@link #embeddings}: work to record; nothing but kernels is called. */
    public void run() {
        forward.body(acts, embeddings(), HyperDropout.NONE);
    }

    /** As {@link #run}, of other embeddings f32 [n, E], by a recording: of the very tensor, if it is the last run's. */
    void run(Tensor other) {
        if (given == other && other.address() != 0) { // which throws if they were closed
            repeated = repeated == null ? backend.record(() -> forward.body(acts, other, HyperDropout.NONE)) : repeated;
            repeated.run();
            return;
        }
        close(repeated);
        repeated = null;
        given = other;
        backend.copy(embeddings(), other);
        recording = recording == null ? backend.record(this::run) : recording;
        recording.run();
    }

    /** The adapters of the embeddings of the last {@link #run}, each in memory of its own, to be closed by the caller. */
    public List<GeneratedLora> adapters() {
        List<GeneratedLora> adapters = new ArrayList<>();
        try {
            for (int i = 0; i < rows.descriptions(); i++) {
                adapters.add(GeneratedLora.unwritten(backend, forward.config(), layout));
            }
            forward.heads(acts, rows, forward.result(acts), adapters);
            adapters.forEach(GeneratedLora::lora); // while a device computes them
            return List.copyOf(adapters);
        } catch (RuntimeException | Error e) {
            adapters.forEach(GeneratedLora::close);
            throw e;
        }
    }

    /** What enters the heads, of the embeddings of the last {@link #run}: see {@link Hypernetwork#headInputs}. */
    float[][] headInputs() {
        int width = forward.config().architecture().headIn();
        double[][] sums = new double[rows.descriptions()][width];
        try (Arena arena = Arena.ofConfined()) {
            Tensor z = backend.host(arena, forward.result(acts));
            for (int row = 0; row < rows.headRows(); row++) {
                double[] sum = sums[rows.descriptionOfHeadRow(row)];
                for (int k = 0; k < width; k++) {
                    sum[k] += z.getFloat((long) row * width + k);
                }
            }
        }
        float[][] means = new float[sums.length][width];
        for (int i = 0; i < sums.length; i++) {
            for (int k = 0; k < width; k++) {
                means[i][k] = (float) (sums[i][k] * sums.length / rows.headRows());
            }
        }
        return means;
    }

    @Override
    public void close() {
        close(recording);
        close(repeated);
        acts.close();
    }

    private static void close(Recording recording) {
        if (recording != null) {
            recording.close();
        }
    }
}
