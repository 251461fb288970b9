package dev.t2l.bench;

/** One thing to measure. */
public sealed interface Case permits DecodeCase, PrefillCase, EncodeCase, HypernetworkCase, AdaptCase, FirstTokenCase, SftCase {
    /** Measures it, after a check that what is measured gives sane numbers. */
    Figure run(Workbench bench);
}
