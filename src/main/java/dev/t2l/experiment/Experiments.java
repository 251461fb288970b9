package dev.t2l.experiment;

import dev.t2l.data.Spelling;
import java.util.List;

/** The experiments that there are. */
public final class Experiments {
    private static final List<Experiment> ALL = List.of(
            new Oracles(),
            new Variants(),
            new Reconstruction(),
            new Compression(),
            new Scaling(),
            new SftAgainstReconstruction(),
            new Encoders(),
            new Descriptions(),
            new Embeddings(),
            new Cost());

    private Experiments() {
    }

    /** In the order in which they are best read. */
    public static List<Experiment> all() {
        return ALL;
    }

    /** @throws IllegalArgumentException if none is called so */
    public static Experiment of(String name) {
        List<String> names = ALL.stream().map(Experiment::name).toList();
        return ALL.stream().filter(one -> one.name().equals(name)).findFirst().orElseThrow(() -> new IllegalArgumentException("no experiment is called '" + name + "'; HINT: "
                + Spelling.nearest(name, names).map(near -> "did you mean '" + near + "'?").orElse("there are " + String.join(", ", names))));
    }
}
