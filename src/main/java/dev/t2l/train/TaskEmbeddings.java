package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.Tensor;
import dev.t2l.train.PromptFormat.Tokens;
import dev.t2l.train.SampleSource.Held;
import dev.t2l.train.TaskSampler.Draw;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * What a hypernetwork reads of each task, made once before the first step.
 *
 * @param training   by task: f32 [descriptions, width] on the host
 * @param validation by task: of other descriptions, else the same
 */
record TaskEmbeddings(int width, List<Tensor> training, List<Tensor> validation) implements SampleEmbeddings {

    /**
     * Descriptions as an encoder reads them.
     *
     * @param vectors of all of them, of one length
     */
    static TaskEmbeddings of(List<TrainingTask> tasks, Map<String, float[]> vectors) {
        List<Tensor> training = new ArrayList<>();
        List<Tensor> validation = new ArrayList<>();
        for (TrainingTask task : tasks) {
            training.add(stacked(task.descriptions(), vectors));
            validation.add(task.evalDescriptions().isEmpty() ? training.getLast() : stacked(task.evalDescriptions(), vectors));
        }
        return new TaskEmbeddings(Math.toIntExact(training.getFirst().cols()), List.copyOf(training), List.copyOf(validation));
    }

    /** Task i is a vector of zeros with a one at place i, whatever its descriptions say. */
    static TaskEmbeddings oneHot(int tasks) {
        List<Tensor> all = new ArrayList<>();
        for (int i = 0; i < tasks; i++) {
            float[] values = new float[tasks];
            values[i] = 1;
            all.add(Tensor.ofFloats(values, 1, tasks));
        }
        return new TaskEmbeddings(tasks, List.copyOf(all), List.copyOf(all));
    }

    private static Tensor stacked(List<String> texts, Map<String, float[]> vectors) {
        int width = vectors.get(texts.getFirst()).length;
        float[] all = new float[texts.size() * width];
        for (int i = 0; i < texts.size(); i++) {
            System.arraycopy(vectors.get(texts.get(i)), 0, all, i * width, width);
        }
        return Tensor.ofFloats(all, texts.size(), width);
    }

    @Override
    public int choices(int task) {
        return Math.toIntExact(training.get(task).rows());
    }

    @Override
    public void ofDraws(Backend backend, Tensor out, List<Draw> draws, List<Tokens> samples) {
        upload(backend, out, draws.stream().map(draw -> training.get(draw.task()).slice(draw.description(), draw.description() + 1L)).toList());
    }

    @Override
    public void ofHeldOut(Backend backend, Tensor out, List<Held> samples) {
        upload(backend, out, samples.stream().map(held -> {
            Tensor all = validation.get(held.task());
            long row = held.number() % all.rows();
            return all.slice(row, row + 1);
        }).toList());
    }

    private void upload(Backend backend, Tensor out, List<Tensor> rows) {
        Tensor host = Tensor.ofFloats(new float[rows.size() * width], rows.size(), width);
        for (int i = 0; i < rows.size(); i++) {
            MemorySegment.copy(rows.get(i).data(), 0, host.data(), 4L * i * width, 4L * width);
        }
        backend.upload(out, host.data());
    }

    @Override
    public Map<String, Tensor> kept(List<TrainingTask> tasks) {
        Map<String, Tensor> rows = new LinkedHashMap<>();
        IntStream.range(0, tasks.size()).forEach(i -> rows.put(tasks.get(i).name(), training.get(i)));
        return rows;
    }

    @Override
    public void close() {
    }
}
