package dev.t2l.train;

import dev.t2l.TextEncoder;
import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * What a hypernetwork reads of each task, made once before the first step.
 *
 * @param training   by task: f32 [descriptions, width] on the host
 * @param validation by task: of other descriptions, else the same
 */
record TaskEmbeddings(int width, List<Tensor> training, List<Tensor> validation) {
    private static final int AT_ONCE = 32;

    /** Descriptions as the encoder reads them. */
    static TaskEmbeddings of(List<TrainingTask> tasks, TextEncoder encoder) {
        List<Tensor> training = new ArrayList<>();
        List<Tensor> validation = new ArrayList<>();
        for (TrainingTask task : tasks) {
            training.add(encoded(task.descriptions(), encoder));
            validation.add(task.evalDescriptions().isEmpty() ? training.getLast() : encoded(task.evalDescriptions(), encoder));
        }
        return new TaskEmbeddings(encoder.width(), List.copyOf(training), List.copyOf(validation));
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

    private static Tensor encoded(List<String> descriptions, TextEncoder encoder) {
        float[] all = new float[descriptions.size() * encoder.width()];
        int at = 0;
        for (int from = 0; from < descriptions.size(); from += AT_ONCE) {
            for (float[] row : encoder.embedTasks(descriptions.subList(from, Math.min(descriptions.size(), from + AT_ONCE)))) {
                System.arraycopy(row, 0, all, at, row.length);
                at += row.length;
            }
        }
        return Tensor.ofFloats(all, descriptions.size(), encoder.width());
    }

    /** How many each task has to train on. */
    int count(int task) {
        return Math.toIntExact(training.get(task).rows());
    }

    /** Memory on a backend for the embeddings of a step, filled again for each. */
    static final class Rows implements AutoCloseable {
        private final Backend backend;
        private final int width;
        private final int most;
        private final Memory memory;

        Rows(Backend backend, int width, int most) {
            this.backend = backend;
            this.width = width;
            this.most = most;
            this.memory = backend.allocate(4L * most * width);
        }

        /** f32 [rows, width] on the backend, until the next call. */
        Tensor upload(List<Tensor> rows) {
            if (rows.size() > most) {
                throw new IllegalArgumentException(rows.size() + " embeddings, there is room for " + most);
            }
            Tensor host = Tensor.ofFloats(new float[rows.size() * width], rows.size(), width);
            for (int i = 0; i < rows.size(); i++) {
                MemorySegment.copy(rows.get(i).data(), 0, host.data(), 4L * i * width, 4L * width);
            }
            Tensor there = Tensor.of(DType.F32, memory.segment(), rows.size(), width);
            backend.upload(there, host.data());
            return there;
        }

        @Override
        public void close() {
            memory.close();
        }
    }
}
