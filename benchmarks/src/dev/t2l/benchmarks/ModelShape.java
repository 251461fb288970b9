package dev.t2l.benchmarks;

/**
 * Sizes of a decoder that benchmarks take by name, so that one parameter {@code shape} fits them all; {@code tiny} is for a
 * quick proof that a benchmark runs.
 */
record ModelShape(int vocabulary, int hidden, int feedForward, int heads, int kvHeads, int headDim) {

    /** @throws IllegalArgumentException if no shape has that name */
    static ModelShape of(String name) {
        return switch (name) {
            case "tiny" -> new ModelShape(256, 64, 160, 4, 2, 16);
            case "smollm2" -> new ModelShape(49152, 576, 1536, 9, 3, 64);
            case "mistral7b" -> new ModelShape(32000, 4096, 14336, 32, 8, 128);
            default -> throw new IllegalArgumentException("no shape is called '" + name + "'; there are tiny, smollm2, mistral7b");
        };
    }
}
