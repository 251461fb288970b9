package dev.t2l.experiment;

import dev.t2l.io.PeftAdapter;
import java.nio.file.Path;
import java.util.Map;

/**
 * Adapters that were trained on one task each.
 *
 * @param path holds a run a task, by its name
 * @param runs by task
 */
public record OracleFolder(Path path, Map<String, Trained> runs) {
    /** Of a task's adapter, in MiB. */
    double mebibytes(String task) {
        return Trained.mebibytes(runs.get(task).folder().resolve(PeftAdapter.FILE));
    }

    PeftAdapter adapter(String task) {
        return PeftAdapter.read(runs.get(task).folder());
    }
}
