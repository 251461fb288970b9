package dev.t2l.ops;

import dev.t2l.backend.AffineNorm;
import dev.t2l.backend.Backend;
import dev.t2l.backend.FeedForward;
import dev.t2l.backend.Product;
import dev.t2l.backend.TaskEncoder;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;

/** The blocks of a hypernetwork before its heads, and its task encoder (Charakorn et al. 2025, section 3). */
public final class HyperBody {
    private static final String OP = "HyperBody";

    private HyperBody() {
    }

    /**
     * {@code x[:, 0..T) = norm(linear(embeddings))} by each row's task, unless {@code task} is null; then, for each block,
     * {@code x = silu(down(silu(up(norm(x)))))}, plus x where the block has a residual. The result is the last block's {@code down.y}.
     *
     * @param x f32 [n, d]; its first T columns are undefined afterwards if there is a task, but the result itself if there are no blocks
     */
    public static void forward(Backend backend, Tensor x, TaskEncoder task, List<FeedForward> blocks) {
        if (task != null) {
            check(task, x);
        }
        Tensor in = x;
        for (FeedForward block : blocks) {
            if (block.norm() != null) {
                norm(block.norm(), in);
                Check.matrix(OP, "normed", block.normed(), DType.F32, in.rows(), in.cols());
            }
            product(block.up(), in);
            product(block.down(), block.up().y());
            Tensor out = block.down().y();
            Check.that(!block.residual() || out.cols() == in.cols(), OP, "a block with a residual gives what it takes, " + in.cols() + " columns", out);
            in = out;
        }
        backend.hyperBody(x, task, blocks);
    }

    private static void check(TaskEncoder task, Tensor x) {
        product(task.linear(), task.embeddings());
        norm(task.norm(), task.linear().y());
        Check.matrix(OP, "normed task", task.normed(), DType.F32, task.embeddings().rows(), task.linear().w().rows());
        Check.elements(OP, "task of row", task.taskOfRow(), DType.I32, x.rows());
        Check.that(task.normed().cols() <= x.cols(), OP, "x must have the task's columns", x);
    }

    private static void product(Product p, Tensor x) {
        Linear.check(OP, p.y(), x, p.w(), p.bias());
        Check.that(p.lora() == null, OP, "no adapters", p.w());
    }

    private static void norm(AffineNorm norm, Tensor x) {
        Check.weight(OP, "norm", norm.weight(), x.cols());
        Check.weight(OP, "norm's bias", norm.bias(), x.cols());
    }
}
