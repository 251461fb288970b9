package dev.t2l.cli;

import dev.t2l.TextEncoder;
import dev.t2l.backend.Backend;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code t2l embed}: texts to vectors. */
@Command(name = "embed", description = {"Turns texts into vectors.", "", "Prints one vector a line: its values with 9 significant digits, a space between."})
final class Embed implements Callable<Integer> {
    private static final int BATCH = 32;

    @Parameters(paramLabel = "TEXT", arity = "0..*", description = "The texts. Without any, each line of standard input is one.")
    private List<String> texts = List.of();

    @Option(names = "--encoder", required = true, paramLabel = "MODEL",
            description = "A BERT or gte encoder or a decoder, of which the last token counts: folder, GGUF file, or hub id.")
    private String encoder;

    @Option(names = "--task", description = "The texts describe tasks: give the vectors that a Text-to-LoRA hypernetwork reads (formatted as in training, scaled to length sqrt(width)).")
    private boolean task;

    @Mixin
    private BackendOption backend;

    @Mixin
    private SourceOption source;

    @Mixin
    private Result result;

    /** {@code width} values for each text. */
    record Vectors(int width, List<Embedding> embeddings) {
    }

    record Embedding(String text, float[] vector) {
    }

    @Override
    public Integer call() throws IOException {
        List<String> all = texts.isEmpty() ? lines() : texts;
        try (Backend open = backend.open(); TextEncoder model = TextEncoder.load(source.resolve(encoder), open);
                var progress = Progress.of("encoding", all.size(), "texts", 1)) {
            List<Embedding> embeddings = new ArrayList<>();
            for (int from = 0; from < all.size(); from += BATCH) {
                List<String> batch = all.subList(from, Math.min(all.size(), from + BATCH));
                float[][] vectors = task ? model.embedTasks(batch) : model.embed(batch);
                for (int i = 0; i < vectors.length; i++) {
                    embeddings.add(new Embedding(batch.get(i), vectors[i]));
                }
                progress.advanceTo(embeddings.size());
            }
            result.print(new Vectors(model.width(), embeddings), Embed::text);
        }
        return 0;
    }

    private static List<String> lines() throws IOException {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        return in.readAllLines();
    }

    private static String text(Vectors vectors) {
        var text = new StringBuilder();
        for (Embedding embedding : vectors.embeddings()) {
            String gap = "";
            for (float value : embedding.vector()) {
                text.append(gap).append(String.format(Locale.ROOT, "%.9g", value));
                gap = " ";
            }
            text.append('\n');
        }
        return text.toString();
    }
}
