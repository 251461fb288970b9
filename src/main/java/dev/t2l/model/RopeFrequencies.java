package dev.t2l.model;

/** Inverse frequencies of rotary embeddings, formed in f32 as transformers does (modeling_rope_utils). */
final class RopeFrequencies {
    private RopeFrequencies() {
    }

    /** {@code 1 / base^(2j/d)}, j below d/2. */
    static float[] plain(int headDim, double base) {
        float[] f = new float[headDim / 2];
        for (int j = 0; j < f.length; j++) {
            f[j] = 1f / (float) Math.pow(base, (float) (2 * j) / headDim);
        }
        return f;
    }

    /** All divided by {@code factor}. */
    static float[] linear(int headDim, double base, double factor) {
        float[] f = plain(headDim, base);
        for (int j = 0; j < f.length; j++) {
            f[j] /= (float) factor;
        }
        return f;
    }

    /** gte-v1.5's static NTK: base and frequencies are both scaled, {@code (base s)^(-2j/d) / s^(2/d)}. */
    static float[] ntk(int headDim, double base, double factor) {
        return linear(headDim, base * factor, Math.pow(factor, 2.0 / headDim));
    }

    /** gte-v1.5's mixed NTK: {@code base^(-2j/d) / exp(a (j+1)^b)}, {@code a = ln(s) / (d/2)^b}. */
    static float[] mixedNtk(int headDim, double base, double factor, double b) {
        float[] f = plain(headDim, base);
        double a = Math.log(factor) / Math.pow(f.length, b);
        for (int j = 0; j < f.length; j++) {
            f[j] /= (float) Math.exp(a * Math.pow(j + 1, b));
        }
        return f;
    }

    /**
     * Llama 3.1: wavelengths above {@code original/low} are divided by {@code factor}, those below {@code original/high} kept,
     * those between interpolated.
     */
    static float[] llama3(int headDim, double base, double factor, double low, double high, double original) {
        float[] f = plain(headDim, base);
        for (int j = 0; j < f.length; j++) {
            double wavelength = 2 * Math.PI / f[j];
            if (wavelength > original / low) {
                f[j] /= (float) factor;
            } else if (wavelength >= original / high) {
                double smooth = (original / wavelength - low) / (high - low);
                f[j] = (float) ((1 - smooth) * f[j] / factor + smooth * f[j]);
            }
        }
        return f;
    }
}
