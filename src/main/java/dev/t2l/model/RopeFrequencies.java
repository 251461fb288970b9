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
