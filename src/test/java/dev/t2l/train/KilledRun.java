package dev.t2l.train;

import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The process that {@link KillAndResumeTest} kills: a run that says each step on standard output. */
final class KilledRun {
    static final int STEPS = 240;

    private KilledRun() {
    }

    /** The tiny base with a tokeniser that loads no native library, as such processes should start soon. */
    static void writeBase(Path folder) throws IOException {
        Tiny.copy(Tiny.BASE, folder);
        Files.delete(folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("vocab.txt"), String.join("\n", "[PAD]", "[UNK]", "[CLS]", "[SEP]", "one", "upper", "lower", "count", "write", "the", "text", "in", "it",
                "give", ".", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"));
    }

    /** @param folder with the data and the base */
    static TrainingBuilder builder(Path folder, Path out) {
        var builder = SupervisedFineTuning.builder();
        TinyTasks.sft(folder.resolve("data"), out).forEach(builder::set);
        return builder.base(folder.resolve("base")).steps(STEPS).set("validation.every", 7).set("checkpoint.every", 3);
    }

    public static void main(String... args) {
        var teller = new TrainingListener() {
            @Override
            public void step(Progress progress) {
                System.out.println(progress.step());
            }
        };
        try (Backend backend = Backend.open("java")) {
            builder(Path.of(args[0]), Path.of(args[1])).resume().listener(teller).run(backend);
        }
    }
}
