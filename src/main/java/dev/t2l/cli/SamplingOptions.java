package dev.t2l.cli;

import dev.t2l.Sampling;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** The options of {@link Sampling}. */
final class SamplingOptions {
    @Option(names = "--max-tokens", defaultValue = "512", paramLabel = "N", description = "Generate at most so many tokens. Default: ${DEFAULT-VALUE}.")
    private int maxTokens = 512;

    @Option(names = "--temperature", defaultValue = "0", paramLabel = "T", description = "Draw from the distribution at this temperature. Default: ${DEFAULT-VALUE}, the most likely token.")
    private float temperature;

    @Option(names = "--top-k", defaultValue = "0", paramLabel = "K", description = "Keep the K most likely tokens; 0 keeps all.")
    private int topK;

    @Option(names = "--top-p", defaultValue = "1", paramLabel = "P", description = "Keep the fewest tokens whose probabilities reach P.")
    private float topP = 1;

    @Option(names = "--min-p", defaultValue = "0", paramLabel = "P", description = "Keep tokens at least P times as likely as the best.")
    private float minP;

    @Option(names = "--seed", defaultValue = "0", paramLabel = "N", description = "Seed of the draws. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(names = "--stop", paramLabel = "TEXT", description = "End before this text; may be given several times.")
    private List<String> stop = List.of();

    /** @throws ParameterException if a value is out of its range */
    Sampling sampling(CommandLine command) {
        try {
            return new Sampling(temperature, topK, topP, minP, seed, maxTokens, stop);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(command, e.getMessage(), e);
        }
    }
}
