package dev.t2l.model;

import java.util.regex.Pattern;

/**
 * The type of some matrices of a file.
 *
 * @param pattern found anywhere in their names in the GGUF file
 */
public record TensorType(Pattern pattern, FileType type) {
    boolean names(String tensor) {
        return pattern.matcher(tensor).find();
    }
}
