package dev.t2l.eval;

import dev.t2l.io.PeftScaling;

/**
 * By what the product of an adapter's matrices is multiplied. The published evaluation of Text-to-LoRA used {@code alpha / r}, its training
 * {@code alpha / sqrt(r)}.
 */
public enum LoraScale {
    OWN("own"),
    ALPHA_OVER_R("alpha/r"),
    ALPHA_OVER_SQRT_R("alpha/sqrt(r)");

    private final String formula;

    LoraScale(String formula) {
        this.formula = formula;
    }

    /** @throws IllegalArgumentException if nothing is written so */
    public static LoraScale of(String formula) {
        for (LoraScale scale : values()) {
            if (scale.formula.equals(formula)) {
                return scale;
            }
        }
        throw new IllegalArgumentException("wanted a scale own, alpha/r or alpha/sqrt(r), found '" + formula + "'");
    }

    /**
     * What an adapter's own scale has to be multiplied with.
     *
     * @throws IllegalArgumentException if its modules differ in rank or alpha, and another scale than its own is wanted
     */
    float factor(PeftScaling own) {
        if (this == OWN) {
            return 1;
        }
        if (!own.rankPattern().isEmpty() || !own.alphaPattern().isEmpty()) {
            throw new IllegalArgumentException("the scale " + formula + " of an adapter whose modules differ in rank or alpha is not one number");
        }
        return factor(own.rank(), own.rsLora());
    }

    /** @param rsLora whether its own scale is alpha / sqrt(r) */
    float factor(int rank, boolean rsLora) {
        return this == OWN || rsLora == (this == ALPHA_OVER_SQRT_R) ? 1 : (float) (rsLora ? 1 / Math.sqrt(rank) : Math.sqrt(rank));
    }

    @Override
    public String toString() {
        return formula;
    }
}
