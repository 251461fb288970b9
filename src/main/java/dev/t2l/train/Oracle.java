package dev.t2l.train;

import dev.t2l.io.PeftAdapter;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.nio.file.Path;

/**
 * A task of a library: the LoRA that was trained on it, and what describes it.
 *
 * @param embeddings f32 [n, E] on the host: its descriptions, as the text encoder gives them
 */
public record Oracle(String task, PeftAdapter adapter, Tensor embeddings) {
    public Oracle {
        if (embeddings.dtype() != DType.F32 || embeddings.rank() != 2 || embeddings.rows() < 1 || !embeddings.onHost()) {
            throw new IllegalArgumentException("task '" + task + "': wanted embeddings F32[n, E] on the host, found " + embeddings);
        }
    }

    /** Of an adapter in PEFT's format; the task is named like its folder. */
    public static Oracle read(Path folder, Tensor embeddings) {
        return new Oracle(folder.getFileName().toString(), PeftAdapter.read(folder), embeddings);
    }
}
