package dev.t2l;

import dev.t2l.TextEncoder.Conventions;
import dev.t2l.backend.Backend;
import dev.t2l.io.FormatException;
import dev.t2l.io.Gguf;
import dev.t2l.model.Decoder;
import dev.t2l.model.DecoderFile;
import dev.t2l.model.Encoder;
import dev.t2l.model.GgufBert;
import dev.t2l.model.GteEncoder;
import dev.t2l.model.LastTokenEmbedder;
import dev.t2l.model.PooledEncoder;
import dev.t2l.model.Pooling;
import dev.t2l.model.SentenceModules;
import dev.t2l.model.SequenceEmbedder;
import dev.t2l.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/** Text encoders on disk: the model, its tokeniser, and how the folder wants them used. */
final class TextEncoderLoader {
    private static final System.Logger LOG = System.getLogger("dev.t2l");

    private TextEncoderLoader() {
    }

    static TextEncoder load(Path path, Backend backend) {
        return Files.isDirectory(path) ? fromFolder(path, backend) : fromGguf(path, backend);
    }

    private static TextEncoder fromFolder(Path folder, Backend backend) {
        SentenceModules modules = SentenceModules.read(folder);
        Path transformer = modules.transformer();
        boolean decoder = !Encoder.isEncoder(transformer);
        if (decoder) {
            requireLastToken(folder, modules.pooling());
        }
        Tokenizer tokenizer = Tokenizer.load(transformer);
        if (decoder) {
            DescriptionFormat format = isSfr(folder) ? DescriptionFormat.INSTRUCTION : DescriptionFormat.FULL_STOP;
            var conventions = new Conventions(format, modules::prepare, modules.maxTokens(), TextEncoder.TASK_TOKENS, modules.normalise());
            return together(backend, tokenizer, lastToken(transformer, backend, tokenizer), conventions);
        }
        Encoder encoder = closingOnFailure(tokenizer, () -> Encoder.load(transformer, backend));
        boolean gte = encoder instanceof GteEncoder;
        Pooling pooling = modules.pooling().orElseGet(() -> gte ? Pooling.CLS : unsaid(folder));
        var conventions = new Conventions(DescriptionFormat.FULL_STOP, modules::prepare, modules.maxTokens(),
                gte ? TextEncoder.TASK_TOKENS : modules.maxTokens(), modules.normalise());
        return together(backend, tokenizer, new PooledEncoder(backend, encoder, pooling), conventions);
    }

    private static TextEncoder fromGguf(Path path, Backend backend) {
        Tokenizer tokenizer;
        Optional<Pooling> pooling;
        boolean bert;
        try (Gguf file = Gguf.open(path)) {
            bert = file.string("general.architecture").equals("bert");
            pooling = bert ? GgufBert.pooling(file) : Optional.empty();
            tokenizer = Tokenizer.of(file);
        }
        if (!bert) {
            return together(backend, tokenizer, lastToken(path, backend, tokenizer), Conventions.plain(DescriptionFormat.FULL_STOP));
        }
        Encoder encoder = closingOnFailure(tokenizer, () -> Encoder.load(path, backend));
        var conventions = new Conventions(DescriptionFormat.FULL_STOP, UnaryOperator.identity(), encoder.maxTokens(), encoder.maxTokens(), true);
        return together(backend, tokenizer, new PooledEncoder(backend, encoder, pooling.orElseGet(() -> unsaid(path))), conventions);
    }

    private static SequenceEmbedder lastToken(Path path, Backend backend, Tokenizer tokenizer) {
        DecoderFile file = closingOnFailure(tokenizer, () -> DecoderFile.open(path, backend));
        return new LastTokenEmbedder(new Decoder(backend, file.config(), file.weights()), file::close);
    }

    private static TextEncoder together(Backend backend, Tokenizer tokenizer, SequenceEmbedder embedder, Conventions conventions) {
        return new TextEncoder(backend, tokenizer, embedder, conventions, () -> {
            embedder.close();
            tokenizer.close();
        });
    }

    private static Pooling unsaid(Path path) {
        LOG.log(System.Logger.Level.WARNING, "{0} does not say how its vectors are pooled; taking the mean, as sentence-transformers would", path);
        return Pooling.MEAN;
    }

    private static void requireLastToken(Path folder, Optional<Pooling> pooling) {
        if (pooling.isPresent() && pooling.get() != Pooling.LAST_TOKEN) {
            throw new FormatException(folder, "pooling mode", "a decoder is supported with the last token's vector only, found " + pooling.get());
        }
    }

    /** Whether a folder, or the repository it is a snapshot of in the hub's cache, is one of the SFR encoders, by its name. */
    private static boolean isSfr(Path folder) {
        Path name = folder.toAbsolutePath().normalize();
        if (name.getParent() != null && name.getParent().endsWith("snapshots")) {
            name = name.getParent().getParent();
        }
        return name.getFileName() != null && name.getFileName().toString().contains("SFR");
    }

    private static <T> T closingOnFailure(Tokenizer tokenizer, Supplier<T> load) {
        try {
            return load.get();
        } catch (RuntimeException e) {
            tokenizer.close();
            throw e;
        }
    }
}
