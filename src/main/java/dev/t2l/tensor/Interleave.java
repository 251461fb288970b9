package dev.t2l.tensor;

/**
 * llama.cpp's order of the q and k rows of Llama and Mistral: within each head, row {@code p*headDim/2 + j} of the Hugging Face
 * order lies at {@code 2j + p}, so that rotary pairs are neighbours.
 */
public final class Interleave {
    private Interleave() {
    }

    /** Where row {@code o} of the Hugging Face order lies; {@code o} itself if {@code headDim} is 0. */
    public static long rowOf(long o, int headDim) {
        if (headDim == 0) {
            return o;
        }
        long inHead = o % headDim;
        long half = headDim / 2;
        return o - inHead + 2 * (inHead % half) + inHead / half;
    }
}
