package dev.t2l.cli;

import dev.t2l.DescriptionFormat;
import dev.t2l.hyper.HyperConfig.Condition;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** {@code --t2l}, {@code --encoder}, {@code --task}: an adapter that a hypernetwork makes of a sentence, or of each prompt. */
final class HypernetworkOptions {
    @Option(names = "--t2l", required = true, paramLabel = "DIR", description = "The trained hypernetwork.")
    private String checkpoint;

    @Option(names = "--encoder", paramLabel = "MODEL", description = "Its text encoder. Default: the one it names, in the local cache, or the base model.")
    private String encoder;

    @Option(names = "--task", paramLabel = "DESCRIPTION",
            description = "The sentence that describes the task. Not for a hypernetwork that was trained on inputs: it makes an adapter of each prompt.")
    private String description;

    /** Has the sentence's adapter, or each prompt's, act beside those that are chosen already. */
    void addTo(ChosenAdapters chosen, SourceOption source, CommandLine command) {
        Condition reads = chosen.open(source.resolve(checkpoint), encoder, source);
        if (description != null) {
            chosen.describe(DescriptionFormat.unquoted(description));
        } else if (reads != Condition.INPUT) {
            throw new ParameterException(command, "--task is missing: " + checkpoint + " reads the description of a task");
        }
    }
}
