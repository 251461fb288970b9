package dev.t2l.experiment;

/** A question about Text-to-LoRA, answered by a table and a plot. Everything it computes is found again when it is run again. */
public interface Experiment {
    /** In commands, and that of its folder. */
    String name();

    /** What it shows, in one line. */
    String title();

    /** Computes what is missing, and writes {@link Laboratory#table} and {@link Laboratory#plot}. */
    void run(Laboratory lab);
}
