package dev.t2l.backend;

import java.util.Locale;

/** The instruction sets the native kernels are built for, each faster than the one before; the order is that of {@code t2l.h}. */
public enum Isa {
    /** What every processor of the architecture has: SSE2 on x86-64, NEON on AArch64. */
    BASELINE("baseline"),
    /** AVX2, FMA and F16C. */
    AVX2("AVX2+FMA"),
    /** AVX-512 F, BW, VL, DQ and VNNI. */
    AVX512("AVX-512+VNNI");

    private final String label;

    Isa(String label) {
        this.label = label;
    }

    /** For people: {@code AVX2+FMA}. */
    public String label() {
        return label;
    }

    /**
     * The cap that {@code -Dt2l.isa} sets ({@code baseline}, {@code avx2} or {@code avx512}), or the best there is.
     *
     * @throws BackendUnavailableException if the property names none of them
     */
    static Isa cap() {
        String name = System.getProperty("t2l.isa");
        if (name == null) {
            return AVX512;
        }
        for (Isa isa : values()) {
            if (isa.name().equals(name.toUpperCase(Locale.ROOT))) {
                return isa;
            }
        }
        throw new BackendUnavailableException("-Dt2l.isa=" + name + " is none of baseline, avx2, avx512");
    }
}
