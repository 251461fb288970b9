package dev.t2l.cli;

import dev.t2l.model.FileType;
import dev.t2l.model.TensorType;
import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import picocli.CommandLine.TypeConversionException;

/** {@code REGEX=TYPE} on the command line, such as {@code attn_v=q8_0}. */
final class TensorTypeArgument {
    private TensorTypeArgument() {
    }

    static TensorType parse(String argument) {
        int at = argument.lastIndexOf('=');
        if (at < 1) {
            throw new TypeConversionException("'" + argument + "' is not of the form REGEX=TYPE");
        }
        try {
            return new TensorType(Pattern.compile(argument.substring(0, at)), FileType.valueOf(argument.substring(at + 1).toUpperCase(Locale.ROOT)));
        } catch (PatternSyntaxException e) {
            throw new TypeConversionException("'" + argument.substring(0, at) + "' is no regular expression: " + e.getDescription());
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException("'" + argument.substring(at + 1) + "' is none of " + Arrays.toString(FileType.values()));
        }
    }
}
