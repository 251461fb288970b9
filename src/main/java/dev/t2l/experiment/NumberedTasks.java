package dev.t2l.experiment;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Lane;
import dev.t2l.eval.AdapterSource;
import dev.t2l.eval.Fingerprint;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.hyper.Hypernetwork;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.nio.file.Path;
import java.util.List;

/** A hypernetwork that was trained on the numbers of tasks ({@code condition: one_hot}), asked by their names. It knows no others. */
final class NumberedTasks implements AdapterSource, AutoCloseable {
    private final HyperCheckpoint checkpoint;
    private final Hypernetwork network;
    private final Backend backend;
    private final String identity;

    NumberedTasks(Path folder, Backend backend) {
        this.checkpoint = HyperCheckpoint.load(folder);
        this.backend = backend;
        if (checkpoint.config().origin().condition() != Condition.ONE_HOT) {
            checkpoint.close();
            throw new IllegalArgumentException(folder + " was not trained on the numbers of tasks");
        }
        this.network = checkpoint.network(backend);
        this.identity = "t2l one-hot " + Fingerprint.of(folder);
    }

    @Override
    public String identity(String task) {
        return identity;
    }

    @Override
    public List<Loaded> load(List<String> tasks) {
        return generate(tasks).stream().map(lora -> new Loaded(List.of(new LoraBatch.Entry(lora.lora(), LoraBatch.Weight.constant(1))), lora::close)).toList();
    }

    /** The caller closes them. */
    List<GeneratedLora> generate(List<String> tasks) {
        List<String> known = checkpoint.config().origin().trainTasks();
        float[] rows = new float[tasks.size() * known.size()];
        for (int i = 0; i < tasks.size(); i++) {
            int number = known.indexOf(tasks.get(i));
            if (number < 0) {
                throw new IllegalArgumentException("the task '" + tasks.get(i) + "' has no number, as it was not trained on");
            }
            rows[i * known.size() + number] = 1;
        }
        try (Lane _ = backend.lane(); Memory memory = backend.allocate(4L * rows.length)) {
            Tensor numbers = Tensor.of(DType.F32, memory.segment(), tasks.size(), known.size());
            backend.upload(numbers, Tensor.ofFloats(rows, rows.length).data());
            return network.generate(numbers);
        }
    }

    @Override
    public void close() {
        network.close();
        checkpoint.close();
    }
}
