package dev.t2l.experiment;

import dev.t2l.train.TrainingConfig.Kind;
import java.util.Set;

/** A question about Text-to-LoRA, answered by a table and a plot. Everything it computes is found again when it is run again. */
public interface Experiment {
    /** In commands, and that of its folder. */
    String name();

    /** What it shows, in one line. */
    String title();

    /** The kinds of training whose recipes it needs beside the tasks of the one for hypernetworks, which all need. */
    default Set<Kind> trains() {
        return Set.of(Kind.SFT);
    }

    /** Computes what is missing, and writes {@link Laboratory#table} and {@link Laboratory#plot}. */
    void run(Laboratory lab);
}
