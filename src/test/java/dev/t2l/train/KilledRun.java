package dev.t2l.train;

import dev.t2l.backend.Backend;
import java.nio.file.Path;

/** The process that {@link KillAndResumeTest} kills: a run that says each step on standard output. */
final class KilledRun {
    static final int STEPS = 240;

    private KilledRun() {
    }

    static TrainingBuilder builder(Path data, Path out) {
        var builder = SupervisedFineTuning.builder().out(out);
        TinyTasks.sft(data, out).forEach(builder::set);
        return builder.steps(STEPS).set("validation.every", 7).set("checkpoint.every", 3);
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
