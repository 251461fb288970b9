package dev.t2l.bench;

import dev.t2l.text.Tokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** A WordPiece tokeniser of made-up words, one token each, and random texts of them. */
final class RandomText {
    private RandomText() {
    }

    /** A tokeniser with as many tokens as a model has; with [CLS] and [SEP] around every text for an encoder, bare for a language model. */
    static Tokenizer tokenizer(int vocabulary, boolean encoder) {
        List<String> tokens = new ArrayList<>(encoder ? List.of("[UNK]", "[CLS]", "[SEP]") : List.of("[UNK]"));
        for (int word = 0; tokens.size() < vocabulary; word++) {
            tokens.add(word(word));
        }
        try (var folder = new TemporaryFolder()) {
            Files.write(folder.path().resolve("vocab.txt"), tokens);
            return Tokenizer.load(folder.path());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Text of so many tokens, special ones not counted; new with every call. */
    static String words(Tokenizer tokenizer, int tokens, RandomGenerator random) {
        int words = tokenizer.vocabularySize() - 3;
        return IntStream.range(0, tokens).mapToObj(_ -> word(random.nextInt(words))).collect(Collectors.joining(" "));
    }

    private static String word(int number) {
        return "w" + number;
    }

    /** A folder that goes when it is closed, with the files in it. */
    record TemporaryFolder(Path path) implements AutoCloseable {
        TemporaryFolder() throws IOException {
            this(Files.createTempDirectory("t2l-bench"));
        }

        @Override
        public void close() {
            try (var files = Files.list(path)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
                Files.delete(path);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
