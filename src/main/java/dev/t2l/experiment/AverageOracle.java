package dev.t2l.experiment;

import dev.t2l.backend.Backend;
import dev.t2l.eval.AdapterSource;
import dev.t2l.eval.Column;
import dev.t2l.eval.Columns;
import dev.t2l.tensor.LoraWeights;
import java.util.List;
import java.util.stream.IntStream;

/**
 * All oracles in one adapter, whose A and B are the means of theirs: the average LoRA of arXiv 2506.06105, and what a hypernetwork gives that has learned nothing
 * of what they differ in.
 *
 * @param source of this adapter, whatever the text
 */
record AverageOracle(OracleFolder oracles, AdapterSource source) {
    static final String COLUMN = "average";
    static final String TITLE = "average of the oracles";
    static final String NOTE = "The average of the oracles is one adapter for all tasks, whose A and B are the means of theirs: a network that is no better has learned "
            + "nothing of the tasks. That of their ΔW adds to the weights the mean of what they add; no single adapter has a smaller squared distance from them, but its "
            + "rank is the sum of theirs, and it was not asked. The base model adds nothing, so its error is 1.";

    Column column(Columns make) {
        return make.adapter(COLUMN, TITLE, source);
    }

    /** Mean over tasks of {@link ProductError}. */
    double error() {
        LoraWeights average = source.load(List.of("")).getFirst().entries().getFirst().adapter();
        return oracles.runs().keySet().stream().mapToDouble(task -> ProductError.relative(average, oracles.adapter(task).weights())).average().orElseThrow();
    }

    /** The same of an adapter whose ΔW is the mean of the oracles' ΔW: of all single adapters the one with the least squared distance from them. */
    double errorOfMeanProduct(Backend backend) {
        Gram all = AdapterGram.of(oracles.runs().keySet().stream().map(task -> oracles.adapter(task).weights()).toList(), backend);
        double[][] squared = all.products();
        double[][] left = all.centred().products();
        return IntStream.range(0, squared.length).mapToDouble(i -> Math.sqrt(Math.max(0, left[i][i]) / squared[i][i])).average().orElseThrow();
    }

    /** Of its file, which is as large as an oracle's. */
    double mebibytes() {
        return oracles.mebibytes(oracles.runs().keySet().iterator().next());
    }
}
