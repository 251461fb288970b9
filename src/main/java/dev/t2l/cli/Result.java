package dev.t2l.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.UncheckedIOException;
import java.util.function.Function;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * The option {@code --json} of a command with a result that scripts read: {@code @Mixin private Result result;}, then
 * {@code result.print(record, Command::text)}. The record's component names are the JSON's keys.
 */
final class Result {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    @Option(names = "--json", description = "Print the result as one JSON document.")
    private boolean json;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /** Writes the value to standard output: as JSON if asked for, else as {@code text} tells it. */
    <T> void print(T value, Function<T, String> text) {
        String shown = json ? toJson(value) : text.apply(value).stripTrailing();
        if (!shown.isEmpty()) {
            command.commandLine().getOut().println(shown);
        }
    }

    static String toJson(Object value) {
        try {
            return JSON.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }
}
