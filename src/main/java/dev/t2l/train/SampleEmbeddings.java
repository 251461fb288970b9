package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.Tensor;
import dev.t2l.train.PromptFormat.Tokens;
import dev.t2l.train.SampleSource.Held;
import dev.t2l.train.TaskSampler.Draw;
import java.util.List;
import java.util.Map;

/** The vectors that a hypernetwork reads, one a sample. */
interface SampleEmbeddings extends AutoCloseable {
    int width();

    /** How many there are of a sample of this task to draw one from. */
    int choices(int task);

    /**
     * Of samples to train on.
     *
     * @param out     f32 [draws, width], on the backend
     * @param samples those that were drawn
     */
    void ofDraws(Backend backend, Tensor out, List<Draw> draws, List<Tokens> samples);

    /**
     * Of samples to validate with.
     *
     * @param out f32 [samples, width], on the backend
     */
    void ofHeldOut(Backend backend, Tensor out, List<Held> samples);

    /** Those of the tasks, to be saved beside the network; none if they are not of tasks. */
    Map<String, Tensor> kept(List<TrainingTask> tasks);

    @Override
    void close();
}
